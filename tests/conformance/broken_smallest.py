"""The smallest backend with one fault, and the check that must name it, for many faults."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Edit:
    """A fault: a text of the source that is replaced.

    Attributes:
        name: the fault.
        old: a text that is there exactly once.
        named_by: the check that must fail.
        also: checks whose rule the fault breaks too.
    """

    name: str
    old: str
    new: str
    named_by: str
    also: frozenset[str] = frozenset()


EDITS: Final = (
    Edit(
        "appends at any offset",
        "if offset != arrived:",
        "if False:",
        "wrong-offset-409",
        frozenset(
            {"two-patches-one-wins", "stalled-patch-overtaken", "connection-usable-after-error"}
        ),
    ),
    Edit(
        "goes on with an overtaken request",
        "                body = await read_body(reader, min(length, MAX_BYTES + 1))\n",
        """\
                before = self.uploads.get(path[7:], (b"",))[0]
                body = await read_body(reader, min(length, MAX_BYTES + 1))
                now, total, _ = self.uploads.get(path[7:], (b"", 0, ""))
                if before != now and request.get("Upload-Offset") == str(len(before)):
                    request.replace_header("Upload-Offset", str(len(now)))
                    body = body[: total - len(now)]
""",
        "stalled-patch-overtaken",
        frozenset({"two-patches-one-wins"}),
    ),
    Edit(
        "cuts off what is past the end",
        "        if offset + len(body) > length:\n",
        """\
        body = body[: length - offset]
        if offset + len(body) > length:
""",
        "past-the-end",
    ),
    Edit(
        "begins an upload again",
        "if self.record(capture_id).exists() or capture_id in self.uploads:",
        "if not self.record(capture_id):",
        "second-post-409",
        frozenset({"second-post-keeps-bytes"}),
    ),
    Edit(
        "empties an upload that is begun again, and says 409",
        '            return 409, {}, b"this upload was begun before: ask for its offset by HEAD"\n',
        """\
            self.uploads[capture_id] = b"", length, metadata["sha256"]
            return 409, {}, b"this upload was begun before"
""",
        "second-post-keeps-bytes",
    ),
    Edit(
        "signs whatever bytes came",
        "if hashlib.sha256(content).hexdigest() != sha256:",
        "if False:",
        "digest-mismatch-no-receipt",
    ),
    Edit(
        "keeps wrong bytes",
        "                return 460,",
        """\
                self.uploads[capture_id] = content, length, sha256
                return 460,""",
        "created-again-after-mismatch",
    ),
    Edit(
        "signs without a type",
        '"typ": "doorstep-receipt"',
        '"typ": ""',
        "receipt-type-key-digest-date",
    ),
    Edit(
        "takes local time for UTC",
        "gmtime(record.stat().st_mtime)",
        "gmtime(record.stat().st_mtime + 7200)",
        "receipt-type-key-digest-date",
    ),
    Edit(
        "does not tell the length",
        ', "Upload-Length": str(length)',
        "",
        "head-offset-and-length",
    ),
    Edit(
        "takes an unknown upload for a wrong request",
        'return 404, {}, b"no such upload, path or manifest"',
        'return 400, {}, b"no such upload, path or manifest"',
        "head-unknown-404",
        frozenset(
            {
                "created-again-after-mismatch",
                "cut-in-post-body",
                "manifest-404-without-route",
            }
        ),
    ),
    Edit(
        "shows records",
        '                case "GET", ["manifest"]:\n',
        """\
                case "GET", ["files", capture_id]:
                    return 200, {}, self.record(capture_id).read_bytes()
                case "GET", ["manifest"]:
""",
        "get-and-delete-refused",
    ),
    Edit(
        "takes any id for a name",
        "if not re.fullmatch(CAPTURE_ID, capture_id):",
        "if False:",
        "bad-id-400",
        frozenset({"receipts-list"}),
    ),
    Edit("has no limit", "if length > MAX_BYTES:", "if False:", "largest-or-413"),
    Edit(
        "answers for records with a receipt only",
        "json.dumps(found)",
        "json.dumps({one: found[one] for one in found if found[one]})",
        "receipts-list",
    ),
    Edit(
        "closes after an error without saying so",
        "                await writer.drain()\n",
        """\
                await writer.drain()
                unread = unread or status >= 400
""",
        "connection-usable-after-error",
    ),
    Edit(
        "fills up a body that was cut",
        "    return bytes(body)\n",
        '    return bytes(body).ljust(length, b"?")\n',
        "cut-in-patch",
    ),
    Edit(
        "drops a piece of white space",
        "            content += body\n",
        "            content += body if body.strip() else b''\n",
        "resume-at-every-boundary",
    ),
    Edit(
        "keeps records as long as it runs",
        '        return self.data / "received" / f"{capture_id}.rec"\n',
        """\
        folder = self.data / f"process-{os.getpid()}"
        folder.mkdir(exist_ok=True)
        return folder / f"{capture_id}.rec"
""",
        "receipt-survives-kill",
    ),
    Edit(
        "forgets unfinished uploads",
        'for path in folder.glob("*[0-9a-f]"):',
        "for path in ():",
        "upload-survives-kill",
    ),
    Edit(
        "counts a byte too many of a POST that was cut",
        "                unread = length - len(body)",
        """\
                body += b"?" if method == "POST" and len(body) < length else b""
                unread = length - len(body)""",
        "cut-in-post-body",
    ),
    Edit(
        "has no lost receipts",
        '                found[capture_id] = {"receipt": self.receipt(capture_id)}\n',
        "                pass\n",
        "lost-answer",
        frozenset(
            {
                "stalled-patch-overtaken",
                "second-post-keeps-bytes",
                "receipts-list",
                "get-and-delete-refused",
            }
        ),
    ),
    Edit(
        "breaks on a PATCH without bytes",
        "        if offset != arrived:\n",
        """\
        if status == 204 and not body:
            return 500, {}, b"nothing came"
        if offset != arrived:
""",
        "zero-bytes",
    ),
    Edit(
        "shows every file",
        '                case "GET", ["manifest"]:\n',
        """\
                case "GET", ["files", name] if "%2F" in name:
                    return 200, {}, (self.data / name.replace("%2F", "/")).read_bytes()
                case "GET", ["manifest"]:
""",
        "other-names-404",
    ),
    Edit(
        "signs what it has of a record in pieces",
        '                return status, headers, b""\n',
        """\
                keep(self.record(capture_id), content)
                return status, headers | {"Doorstep-Receipt": self.receipt(capture_id)}, b""
""",
        "pieces",
        frozenset({"receipts-list", "create-then-patch", "digest-mismatch-no-receipt"}),
    ),
)
