"""Prints how many probes are answered while an attacker takes the places of a backend."""

import argparse
import tempfile
from pathlib import Path

from tests.faults.places.holding import Phase, Who
from tests.faults.places.rig import target


def main() -> None:
    """Try every phase of every attacker, without nginx and behind it."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.places", description=__doc__)
    parser.add_argument("--probes", type=int, default=60, help="probes of each kind (default: 60)")
    parser.add_argument("--who", type=Who, nargs="*", default=list(Who), help="attackers: all")
    parser.add_argument("--phase", type=Phase, nargs="*", default=list(Phase), help="phases: all")
    chosen = parser.parse_args()
    print(f"pages, uploads of {chosen.probes}: attacker | phase | holds | refills")
    for behind_nginx in (False, True):
        with (
            tempfile.TemporaryDirectory() as folder,
            target(Path(folder), behind_nginx=behind_nginx) as tried,
        ):
            print("behind nginx" if behind_nginx else "without nginx", flush=True)
            for who in chosen.who:
                for phase in [one for one in tried.phases(who) if one in chosen.phase]:
                    found = [
                        tried.attacked(who, phase, chosen.probes, renew=renew)
                        for renew in (False, True)
                    ]
                    print(f"  {who} | {phase} | {found[0]} | {found[1]}", flush=True)
            if behind_nginx:
                print(f"bytes of 100 strangers' bodies in nginx: {tried.bytes_in_nginx(100):,}")


if __name__ == "__main__":
    main()
