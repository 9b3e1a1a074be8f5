"""The parts of an architecture's archive, as CycloneDX 1.6: `sbom.py TAR VERSION COMMIT DATE`.

The archive itself is read, since it is what a device gets. The same archive and commit give the
same bytes: DATE (RFC 3339, the commit's) is the document's time, and its serial number is made of
both digests.
"""

import hashlib
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import Message
from io import BytesIO
from pathlib import Path
from typing import Final
from uuid import NAMESPACE_URL, uuid5

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Commit, Component, ComponentType, Pedigree
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL
from packaging.utils import canonicalize_name

OURS: Final = "doorstep"

UNUSABLE = 2


@dataclass(frozen=True)
class Wheel:
    """A wheel in the archive; `licence` as its author states it, or None."""

    name: str
    version: str
    licence: str | None
    sha256: str


def wheels(archive: Path) -> list[Wheel]:
    """Return all wheels in the archive, by name."""
    return sorted(_wheels(archive), key=lambda wheel: wheel.name)


def _wheels(archive: Path) -> Iterator[Wheel]:
    with tarfile.open(archive) as tar:
        for member in tar:
            if member.isfile() and member.name.endswith(".whl"):
                content = tar.extractfile(member).read()
                about = _metadata(content)
                yield Wheel(
                    name=canonicalize_name(about["Name"]),
                    version=about["Version"],
                    licence=_licence(about),
                    sha256=hashlib.sha256(content).hexdigest(),
                )


def _metadata(wheel: bytes) -> Message:
    """Read the metadata of the package itself: setuptools, for one, carries others inside."""
    with zipfile.ZipFile(BytesIO(wheel)) as packed:
        (place,) = (
            name
            for name in packed.namelist()
            if name.count("/") == 1 and name.endswith(".dist-info/METADATA")
        )
        return message_from_bytes(packed.read(place))


def _licence(about: Message) -> str | None:
    classifiers = [
        one.rpartition(" :: ")[2]
        for one in about.get_all("Classifier", [])
        if one.startswith("License :: ")
    ]
    stated = [about["License-Expression"], about["License"], *classifiers]
    return next((one for one in stated if one and "\n" not in one.strip()), None)


def sbom(archive: Path, version: str, commit: str, date: datetime) -> str:
    """Make the document.

    Raises:
        ValueError: it has no wheel of this version of the agent.
    """
    inside = wheels(archive)
    ours = [wheel for wheel in inside if (wheel.name, wheel.version) == (OURS, version)]
    if not ours:
        raise ValueError(f"{archive}: it has no wheel of {OURS} {version}: make it again")
    root = _component(ours[0], ComponentType.APPLICATION)
    root.pedigree = Pedigree(commits=[Commit(uid=commit)])
    parts = [_component(one, ComponentType.LIBRARY) for one in inside if one not in ours]
    identity = f"{commit} {hashlib.sha256(archive.read_bytes()).hexdigest()}"
    bom = Bom(
        serial_number=uuid5(NAMESPACE_URL, identity),
        metadata=BomMetaData(component=root, timestamp=date.astimezone(UTC)),
        components=parts,
    )
    bom.register_dependency(root, parts)
    return JsonV1Dot6(bom).output_as_string(indent=1) + "\n"


def _component(wheel: Wheel, kind: ComponentType) -> Component:
    licence = None if wheel.licence is None else LicenseFactory().make_from_string(wheel.licence)
    registry = "generic" if wheel.name == OURS else "pypi"  # ours is in no registry
    return Component(
        name=wheel.name,
        version=wheel.version,
        type=kind,
        bom_ref=f"{wheel.name}=={wheel.version}",
        purl=PackageURL(registry, name=wheel.name, version=wheel.version),
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=wheel.sha256)],
        licenses=[] if licence is None else [licence],
    )


def main(archive: str, version: str, commit: str, date: str) -> int:
    """Print it."""
    try:
        sys.stdout.write(sbom(Path(archive), version, commit, datetime.fromisoformat(date)))
    except ValueError as error:
        sys.stderr.write(f"{error}\n")
        return UNUSABLE
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
