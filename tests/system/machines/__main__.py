"""`python -m tests.system.machines`: run three new machines and a backend until Ctrl-C."""

import argparse
import signal
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Final

from tests.support import needs
from tests.system.machines.image import KEPT, TECHNICIAN, image, technicians_key
from tests.system.machines.machine import machines
from tests.system.machines.network import Network
from tests.system.machines.office import office

NEEDS: Final = ("mmdebstrap", "ssh", "nft", "ip", "chronyd")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.system.machines", description=__doc__)
    parser.add_argument("names", nargs="*", default=["van-1", "van-2", "van-3"])
    names: list[str] = parser.parse_args().names
    needs.check(*NEEDS, root=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    lower = image()
    with tempfile.TemporaryDirectory(dir=KEPT, prefix="by-hand-") as made, Network() as network:
        folder = Path(made)
        with office(folder) as at, machines(network, lower, folder / "machines", *names) as running:
            tokens = at.tokens(*names)
            print(f"backend: {at.url}\nauthority: {at.backend.ca_file}")
            print(f"fleet key: {at.backend.fleet_key_file}\ntokens: {tokens}")
            print(f"log in: ssh -i {technicians_key()} {TECHNICIAN}@ADDRESS")
            for one in running:
                print(f"{one.address}  {one.name}  its systemd is process {one.pid}")
            sys.stdout.flush()
            with suppress(KeyboardInterrupt):
                signal.pause()


if __name__ == "__main__":
    main()
