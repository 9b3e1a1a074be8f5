"""What the README.txt of a folder of evidence says to do by hand."""

import json
import re
import subprocess

from tests.backend.office.demo import ALLOWED, LEFT_DOOR
from tests.backend.office.fleet import Fleet
from tests.backend.office.town import PICTURE


def hand(fleet: Fleet) -> list[str]:
    """What the numbered lines of README.txt print."""
    lines = re.findall(r"^\d   (.+)$", fleet.read("README.txt"), re.MULTILINE)
    return [
        subprocess.check_output(["bash", "-c", line], cwd=fleet.out, text=True) for line in lines
    ]


def test_what_the_readme_says_to_do_by_hand_comes_out_as_it_says(fleet: Fleet) -> None:
    made = fleet.take(fleet.sealed())
    following = fleet.take(fleet.sealed(LEFT_DOOR))
    fleet.export(made.label.capture_id)

    whole, receipt, label, body, digest, certificate = hand(fleet)

    assert json.loads(receipt)["sha256"] == whole.split()[0]
    assert json.loads(label)["body"]["sha256"] == body.split()[0]
    assert digest.split()[0] == following.label.prev
    assert certificate == "evidence.pem: OK\n"


def test_what_the_readme_says_of_age_opens_the_record(fleet: Fleet) -> None:
    made = fleet.take(fleet.sealed())
    fleet.export(made.label.capture_id)
    (line,) = re.findall(r"^    (.+ age .+)$", fleet.read("README.txt"), re.MULTILINE)
    identity = next((fleet.folder / "keys" / "identities").iterdir())

    line = line.replace("IDENTITY", str(identity))
    subprocess.run(["bash", "-c", line], cwd=fleet.out, check=True)

    assert (fleet.out / "photo.jpg").read_bytes() == PICTURE


def test_of_an_erased_record_the_labels_digest_is_left(fleet: Fleet) -> None:
    made = fleet.take(fleet.sealed())
    fleet.town.office.opt_out_order(ALLOWED, True)
    fleet.export(made.label.capture_id)

    assert hand(fleet)[4].split()[0] == made.label_sha256
