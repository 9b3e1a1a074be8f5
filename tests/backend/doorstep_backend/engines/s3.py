"""Objects in a bucket of S3; the only module that loads boto3.

A record is `<capture_id>/<sha256>`, a refused record `<capture_id>/refused`, and a copy for people
`<capture_id>/<shows>.jpg`. `<capture_id>/label` is the record label of an erased record.
"""

import base64
import hashlib
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs, urlsplit

import boto3  # noqa: TID251 - the only importer
from botocore.config import Config  # noqa: TID251 - as boto3
from botocore.exceptions import (  # noqa: TID251 - as boto3
    BotoCoreError,
    ClientError,
    NoCredentialsError,
    PartialCredentialsError,
)

from agent.record.file import LABEL_LIMIT_BYTES
from doorstep_backend.engines.objects import Changed, Missing, is_capture, is_record
from doorstep_backend.engines.unavailable import Unavailable
from doorstep_backend.settings import WrongSettingError

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

logging.getLogger("botocore").setLevel(logging.WARNING)

LABEL: Final = "label"
"""The object that is left of an erased record."""

_PROBE: Final = ("readiness", "probe")
"""An object that is put and deleted to see whether one can be kept; it is no capture's."""

DIGEST: Final = "sha256"
"""User metadata of each object: a program that overwrites it without this is detected."""

_WAITING: Final = Config(
    connect_timeout=1,
    read_timeout=2,
    retries={"total_max_attempts": 1},
    request_checksum_calculation="when_required",
    response_checksum_validation="when_required",
    signature_version="s3v4",
)
"""3 s in all, since a device is to be answered: it asks again by itself, so nothing here does.

boto3's own CRC32 in trailers since 1.36 is refused by engines that do not know it; each object is
sent with its Content-MD5 in its place, which AWS, Ceph, MinIO and SeaweedFS (since 4.13) verify.
"""

_DENIED: Final = frozenset(
    {"AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "403"}
)
_NO_ROOM: Final = frozenset({"QuotaExceeded", "InsufficientStorage", "507"})
_UNKNOWN: Final = frozenset({"NotImplemented", "MethodNotAllowed", "501", "405"})
_EMPTY: Final = frozenset({"InvalidRange", "416"})
_NONE: Final = frozenset({"NoSuchKey", "404", "ObjectLockConfigurationNotFoundError"})

_LOOK: Final = "look whether the engine runs, and whether its address is right"

_NO_ADDRESS: Final = "--objects: expected s3://BUCKET?endpoint=URL&region=NAME"

_NO_KEYS: Final = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment"

_ROUNDS: Final = 3
"""Rounds of looking for the rest of a capture: a copy may be put during one of them."""


@dataclass(frozen=True, slots=True)
class BucketAddress:
    """The place of a bucket; the keys are in the environment, as AWS_ACCESS_KEY_ID and so on.

    Attributes:
        endpoint: URL of the engine; None for AWS.
    """

    bucket: str
    endpoint: str | None
    region: str


def read_address(text: str) -> BucketAddress:
    """Read `s3://BUCKET?endpoint=URL&region=NAME`. Raises WrongSettingError."""
    try:
        parts = urlsplit(text)
    except ValueError as error:  # half a bracket of IPv6
        raise WrongSettingError(_NO_ADDRESS) from error
    given = parse_qs(parts.query)
    unknown = sorted(set(given) - {"endpoint", "region"})
    if parts.scheme != "s3" or not parts.netloc or parts.path.strip("/") or unknown:
        raise WrongSettingError(_NO_ADDRESS)
    if "@" in parts.netloc:
        raise WrongSettingError("--objects: keys are read from the environment only")
    endpoint, region = given.get("endpoint", [None])[0], given.get("region", ["us-east-1"])[0]
    return BucketAddress(parts.netloc, endpoint, region or "us-east-1")


def connect(
    address: BucketAddress, key_id: str | None = None, secret: str | None = None
) -> "S3Client":
    """Make a client whose requests end within 3 s; without keys, with those of the environment.

    Raises:
        WrongSettingError: the endpoint is no URL, or half of the keys is missing.
    """
    by_path = Config(s3={"addressing_style": "path"}) if address.endpoint else Config()
    try:
        return boto3.Session().client(  # the default one would keep the first keys that it saw
            "s3",
            endpoint_url=address.endpoint,
            region_name=address.region,
            aws_access_key_id=key_id,
            aws_secret_access_key=secret,
            config=_WAITING.merge(by_path),
        )
    except ValueError as error:
        raise WrongSettingError(f"--objects: {error}") from error
    except PartialCredentialsError as error:
        raise WrongSettingError(f"bucket {address.bucket}: {_NO_KEYS}") from error


class _UnknownHere(Exception):
    """The engine has no such operation."""


class S3:
    """Objects in one bucket. boto3's client may be used by any thread."""

    keeps_opened_copies: Final = False

    def __init__(self, address: BucketAddress) -> None:
        self._bucket = address.bucket
        self._client = connect(address)

    @property
    def bucket(self) -> str:
        """Name of the bucket."""
        return self._bucket

    def make(self) -> None:
        """Make a missing bucket; the keys must be allowed to."""
        is_there = (
            self._client.exceptions.BucketAlreadyExists,
            self._client.exceptions.BucketAlreadyOwnedByYou,
        )
        with self._asking(), suppress(*is_there):
            self._client.create_bucket(Bucket=self._bucket)

    def begin(self) -> list[str]:
        """Check the bucket; return in sentences what could not be checked.

        Raises:
            Unavailable: the bucket is not there, or cannot be asked.
            WrongSettingError: it keeps versions or locks objects, so that nothing could be erased.
        """
        with self._asking():
            self._client.list_objects_v2(Bucket=self._bucket, MaxKeys=1)
        return [said for check in (self._check_versioning, self._check_lock) for said in check()]

    def check(self) -> None:
        """Put and delete one key; what a process that died left of it, the next check deletes."""
        self.put(*_PROBE, b"\0")
        self._delete("/".join(_PROBE), "null")  # else it would leave a mark where versions were

    def put(self, capture_id: str, name: str, content: bytes) -> None:
        """Put an object: the engine verifies its MD5, `get` its SHA-256. Raise Unavailable."""
        md5 = hashlib.md5(content, usedforsecurity=False).digest()
        with self._asking():
            self._client.put_object(
                Bucket=self._bucket,
                Key=f"{capture_id}/{name}",
                Body=content,
                ContentMD5=base64.b64encode(md5).decode(),
                Metadata={DIGEST: hashlib.sha256(content).hexdigest()},
            )

    def get(self, capture_id: str, name: str) -> bytes:
        """Return the object. Raise Missing, or Changed if its SHA-256 is not what was put."""
        key = f"{capture_id}/{name}"
        with self._asking(key):
            found = self._client.get_object(Bucket=self._bucket, Key=key)
            content = found["Body"].read()
        if hashlib.sha256(content).hexdigest() != found["Metadata"].get(DIGEST):
            raise Changed(f"{key} in bucket {self._bucket} is not what was put there")
        return content

    def found(self, capture_id: str) -> bytes:
        """Return a record by its capture alone: list its keys, get it. Raise Missing, Changed."""
        names = (_name(key) for key in self._keys(f"{capture_id}/"))
        name = next(filter(is_record, names), None)
        if name is None:
            raise Missing(f"the body of {capture_id} was erased")
        return self.get(capture_id, name)

    def line(self, capture_id: str, name: str) -> bytes:
        """Return the label line by one request; of an erased record by two."""
        try:
            return self._first_line(f"{capture_id}/{name}")
        except Missing:  # its label was put before
            return self._first_line(f"{capture_id}/{LABEL}")

    def line_found(self, capture_id: str) -> bytes:
        """Find the line by two requests. A label that was put wins over a body that came back."""
        names = sorted(map(_name, self._keys(f"{capture_id}/")), key=is_record)
        name = next((one for one in names if one == LABEL or is_record(one)), LABEL)
        return self._first_line(f"{capture_id}/{name}")

    def _first_line(self, key: str) -> bytes:
        with self._asking(key):
            found = self._client.get_object(
                Bucket=self._bucket, Key=key, Range=f"bytes=0-{LABEL_LIMIT_BYTES}"
            )
            return found["Body"].read().partition(b"\n")[0]

    def remove(self, capture_id: str, name: str) -> None:
        """Delete one object, if it is there."""
        self._delete(f"{capture_id}/{name}")

    def erase(self, capture_id: str, line: bytes = b"") -> None:
        """Delete every version of all objects, the record first; put `line` before, if it is given.

        Raises:
            Unavailable: objects are still listed after _ROUNDS; do it again.
        """
        if line:
            self.put(capture_id, LABEL, line + b"\n")
        for _ in range(_ROUNDS):
            found = self._bodies(f"{capture_id}/")
            left = [one for one in found if not line or _name(one[0]) != LABEL]
            if not left:
                return
            for key, version in sorted(left, key=lambda one: not is_record(_name(one[0]))):
                self._delete(key, version)
        raise Unavailable(
            f"bucket {self._bucket} still has what was deleted: it is tried again later"
        )

    def ids(self) -> Iterator[str]:
        """Yield ids, by a request for each thousand objects; SeaweedFS lists empty prefixes too."""
        return self._captures(lambda _: True)

    def bodies(self) -> Iterator[str]:
        """Return the ids of all captures that have a record's object."""
        return self._captures(is_record)

    def _captures(self, has: Callable[[str], bool]) -> Iterator[str]:
        """Yield the ids of captures that have an object of such a name."""
        pages, before = self._client.get_paginator("list_objects_v2"), ""
        with self._asking():
            for page in pages.paginate(Bucket=self._bucket):
                for one in page.get("Contents", []):
                    capture_id, _, name = one["Key"].partition("/")
                    if capture_id != before and is_capture(capture_id) and has(name):
                        yield capture_id
                        before = capture_id

    def _keys(self, prefix: str) -> list[str]:
        with self._asking():
            page = self._client.list_objects_v2(Bucket=self._bucket, Prefix=prefix)
        return [one["Key"] for one in page.get("Contents", [])]

    def _bodies(self, prefix: str) -> list[tuple[str, str | None]]:
        """Return key and version of each body, also from before versioning was suspended."""
        try:
            with self._asking():
                page = self._client.list_object_versions(Bucket=self._bucket, Prefix=prefix)
        except _UnknownHere:
            return [(key, None) for key in self._keys(prefix)]
        return [(one["Key"], one["VersionId"]) for one in page.get("Versions", [])]

    def _delete(self, key: str, version: str | None = None) -> None:
        with self._asking():
            if version is None:
                self._client.delete_object(Bucket=self._bucket, Key=key)
            else:
                self._client.delete_object(Bucket=self._bucket, Key=key, VersionId=version)

    @contextmanager
    def _asking(self, key: str = "") -> Iterator[None]:
        """Turn what boto3 raises into Unavailable, Missing, Changed, or _UnknownHere."""
        try:
            yield
        except ClientError as error:
            raise _meaning(error, self._bucket, key) from error
        except NoCredentialsError as error:
            raise Unavailable(f"bucket {self._bucket}: {_NO_KEYS}") from error
        except BotoCoreError as error:
            raise Unavailable(
                f"bucket {self._bucket} does not answer ({error}): {_LOOK}"
            ) from error

    def _check_versioning(self) -> list[str]:
        try:
            with self._asking():
                found = self._client.get_bucket_versioning(Bucket=self._bucket)
        except _UnknownHere as error:
            return [f"whether bucket {self._bucket} keeps versions was not told: {error}"]
        if found.get("Status") == "Enabled":
            raise WrongSettingError(
                f"bucket {self._bucket} keeps versions, so that what is erased would stay: "
                "suspend its versioning, or give another bucket"
            )
        return []

    def _check_lock(self) -> list[str]:
        try:
            with self._asking():
                found = self._client.get_object_lock_configuration(Bucket=self._bucket)
        except _UnknownHere as error:
            return [f"whether bucket {self._bucket} locks objects was not told: {error}"]
        except Missing:
            return []
        if found.get("ObjectLockConfiguration", {}).get("ObjectLockEnabled") == "Enabled":
            raise WrongSettingError(
                f"bucket {self._bucket} locks objects, so that nothing could be erased: "
                "give a bucket without object lock"
            )
        return []


def _name(key: str) -> str:
    return key.partition("/")[2]


def _meaning(error: ClientError, bucket: str, key: str) -> Exception:
    """Return what an answer of the engine means, in a sentence that says what to do."""
    code = error.response["Error"].get("Code", "")
    message = error.response["Error"].get("Message") or ""  # Ceph says none
    said = f"bucket {bucket}: {code} {message}".rstrip()
    match code:
        case _ if code in _NONE:
            return Missing(f"there is no {key} in bucket {bucket}")
        case _ if code in _EMPTY:
            return Changed(f"{key} in bucket {bucket} has no bytes: it is not what was put there")
        case _ if code in _UNKNOWN:
            return _UnknownHere(code)
        case _:
            return Unavailable(f"{said}: {_what_to_do(code)}")


def _what_to_do(code: str) -> str:
    match code:
        case "NoSuchBucket":
            return "make it, or give another one in --objects"
        case _ if code in _DENIED:
            return "look at AWS_ACCESS_KEY_ID, its secret, and what it may do there"
        case _ if code in _NO_ROOM:
            return "make room, or raise its quota"
        case _:
            return "look at the engine's log, and whether its disks have room"
