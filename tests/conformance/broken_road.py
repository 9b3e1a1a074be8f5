"""The smallest backend for the road with one fault, and the check that must name it."""

from typing import Final

from tests.conformance.broken_smallest import Edit

ROAD_EDITS: Final = (
    Edit(
        "has no list of its devices",
        'if not (self.data / "evidence" / f"{DEVICE.get()}.pem").exists():',
        "if False:",
        "unlisted-device-403",
    ),
    Edit(
        "lets devices that are not in its list deliver",
        'if not (self.data / "evidence"',
        'if method == "GET" and not (self.data / "evidence"',
        "unlisted-device-403",
    ),
    Edit(
        "takes a record by any key",
        "if not is_known or found",
        "if found",
        "uncertified-key-403",
    ),
    Edit(
        "takes any body for the label's",
        """body = hashlib.sha256(content.partition(b"\\n")[2]).hexdigest()""",
        "body = found[2]",
        "body-of-the-label",
    ),
    Edit(
        "takes any label for the upload's",
        """found = members["device_id"], members["capture_id"], """,
        """found = members["device_id"], capture_id, """,
        "label-of-the-upload",
    ),
    Edit(
        "verifies no label's signature",
        'jwt.decode(line, key, ["ES256"])',
        'jwt.decode(line, options={"verify_signature": False})',
        "label-of-the-upload",
    ),
    Edit(
        "lets every device see and continue each upload",
        "        if owner != DEVICE.get():",
        "        if False:",
        "upload-of-its-device",
        frozenset({"receipt-of-its-device"}),
    ),
    Edit(
        "gives receipts to anybody",
        "            self.progress(capture_id)\n        except",
        "            pass\n        except",
        "receipt-of-its-device",
    ),
)
