"""An intake that a test can let refuse a good record, or die once it knows the digest."""

from agent.record import file as recordfile
from doorstep_backend.wire.intake import Intake, IntakeRefusal
from doorstep_backend.wire.store import Upload
from tests.support.faulty.switches import IN_FORCE, Step, reach


class FaultyIntake(Intake):
    """The backend's intake; its receipts and refusals are the true ones."""

    def _open(self, upload: Upload, content: bytes) -> recordfile.RecordFile | IntakeRefusal:
        reach(Step.DIGEST)
        reason = IN_FORCE.get().refuse
        return IntakeRefusal(reason) if reason else super()._open(upload, content)
