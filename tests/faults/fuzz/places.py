"""The places where the product parses (calls.py), each with its parser in the rig or an excuse.

A test compares both tables with the code, and sees each function run while its parser does.

Foreign bytes come from another process, device, server or person, also if they are signed. To add
their parser:

1. Limit the length before parsing, and depth or count too if length does not limit the cost.
   Document one exception, and turn every error of the library into it.
2. Add a `Parser` to `parsers/`, which calls the product's own function, and samples to `corpus/`
   (`genuine.py` makes those that are signed, sealed, packed or drawn).
3. Add the place here, and run `scripts/test --fuzz PARSER --inputs 100000`. Each finding gets a
   test, and its input goes to the corpus as `found-NAME`.
"""

from collections.abc import Mapping
from typing import Final

FUZZED: Final[Mapping[str, str]] = {
    "agent/capture/barcodes.py:read": "barcodes",
    "agent/capture/energy_meter.py:parsed": "kept-energy",
    "agent/models.py:from_rfc3339": "receipt-payload",
    "agent/network.py:network_of": "network",
    "agent/process/control.py:_decoded": "socket",
    "agent/queue/bounds.py:connect": "queue",
    "agent/queue/labels.py:_json": "label-in-folder",
    "agent/queue/superblock.py:read": "superblock",
    "agent/record/certificates.py:read_answer": "cms",
    "agent/record/certificates.py:read_der": "certificate",
    "agent/record/certificates.py:read_pem": "certificates",
    "agent/record/certificates.py:read_request": "csr",
    "agent/record/credentials.py:read": "c2pa",
    "agent/record/exif.py:_big_endian": "exif",
    "agent/record/exif.py:_directory": "exif",
    "agent/record/exif.py:_read": "exif",
    "agent/record/exif.py:_read_number": "exif",
    "agent/record/exif.py:_read_ratios": "exif",
    "agent/record/file.py:_members": "tar",
    "agent/record/file.py:_open_body": "record-json",
    "agent/record/jumbf.py:_boxes": "jumbf",
    "agent/record/jumbf.py:_item": "jumbf",
    "agent/record/sealing.py:_problem": "fleet-payload",
    "agent/record/sealing.py:open_sealed": "age",
    "agent/record/segments.py:before_picture": "exif",
    "agent/record/segments.py:picture_px": "exif",
    "agent/record/signing.py:_members": "receipts-file",
    "agent/record/signing.py:embedded_key": "label",
    "agent/record/signing.py:from_jwk": "jwk",
    "agent/record/signing.py:other_spelling": "label-payload",
    "agent/record/signing.py:public_key": "public-key",
    "agent/record/signing.py:verify": "receipt",
    "agent/record/verify/supporting_files.py:_listed": "revoked-payload",
    "agent/record/verify/consistency.py:against_exif": "record-json",
    "agent/record/usages.py:Wanted.is_asked_by": "csr",
    "agent/serve/answers.py:_parameters": "address",
    "agent/serve/answers.py:_split": "address",
    "agent/serve/connection.py:Connection.handle_one_request": "http",
    "agent/status/header.py:decoded": "report",
    "agent/status/kept.py:read_doctor": "doctor",
    "agent/status/kept.py:read_queue": "kept-status",
    "agent/command/owners.py:_result": "owner",
    "agent/command/sign.py:_parsed": "to-sign",
    "agent/sync/attempt.py:Attempt._after_ask_for_receipt": "receipts",
    "agent/wire/connection.py:_Connection._begin": "server-answer",
    "agent/identity/retirement.py:_received": "retired",
    "agent/wire/tus.py:_date": "tus-answer",
    "agent/wire/tus.py:own_address": "tus-answer",
    "agent/trust/fleet.py:_public": "fleet-payload",
    "agent/trust/store.py:TrustStore.time": "trust-files",
    "hardware/foreign.py:read_json": "manifest",
    "hardware/chrony.py:_server": "chrony",
    "hardware/chrony.py:parse": "chrony",
    "hardware/drivers/position_gpsd.py:_utc": "gpsd",
    "hardware/drivers/position_gpsd.py:parse": "gpsd",
    "doorstep_backend/api/day_routes.py:_date": "office-document",
    "doorstep_backend/copies/labels.py:_turned": "codes",
    "doorstep_backend/copies/making.py:_hidden": "pixels",
    "doorstep_backend/identity/basic.py:basic": "basic",
    "doorstep_backend/identity/names.py:canonical": "est-request",
    "doorstep_backend/identity/request.py:_parsed": "est-request",
    "doorstep_backend/identity/shown.py:passed_on": "passed-on",
    "doorstep_backend/office/picture.py:_orientation": "picture",
    "doorstep_backend/office/segments.py:frame_size": "picture",
    "doorstep_backend/office/segments.py:segments": "picture",
    "doorstep_backend/pages/auth.py:fields": "form",
    "doorstep_backend/reports/pull_one.py:_read": "pulled",
    "doorstep_backend/wire/headers.py:_metadata": "metadata",
    "doorstep_backend/wire/headers.py:uuid": "metadata",
    "doorstep_backend/wire/questions.py:json_object": "question",
}
"""The parser in the rig for each place."""

_OWN: Final = "reads what this program, or its own database, wrote"
_OPERATOR: Final = "reads what root, or who runs the backend, wrote"
_NO_PARSER: Final = "is no parser: it only has such a name"
_WRITES: Final = "writes"
_NAMES_TYPE: Final = "names the type, and parses nothing"
_EXAMPLE: Final = "is an example for integrators, which no device runs"

EXCUSED: Final[Mapping[str, str]] = {
    "agent/capture/photo_facts.py:facts": _OWN,
    "agent/command/capture_process.py:capture_loop": "reads a time of certain form from a label "
    "that verifies (label-payload)",
    "agent/command/doctor/clock_words.py:_is_this_machine": "reads the name that "
    "hardware/chrony.py made",
    "agent/command/enrol.py:_place": _OPERATOR,
    "agent/command/retire.py:_read": _OWN + ", in a folder of root's",
    "agent/config.py:Config.est": _OPERATOR,
    "agent/config.py:_is_endpoint": _OPERATOR,
    "agent/docs/receipts_backend.py:Backend.answer": _EXAMPLE,
    "agent/docs/receipts_backend.py:Backend.create": _EXAMPLE,
    "agent/docs/receipts_backend.py:Backend.manifest": _EXAMPLE,
    "agent/docs/receipts_backend.py:Backend.serve": _EXAMPLE,
    "agent/docs/receipts_backend.py:Uploads.__init__": _EXAMPLE,
    "agent/docs/routes_backend.py:RoutesBackend.check": _EXAMPLE,
    "agent/docs/routes_backend.py:label": _EXAMPLE,
    "agent/models.py:has_host": _OPERATOR,
    "agent/process/control.py:_user": "reads what the kernel says of a socket",
    "agent/queue/content.py:<module>": _NO_PARSER,
    "agent/queue/content.py:_made_by": "makes a new queue in memory",
    "agent/queue/content.py:_made_header": "makes a new queue in memory",
    "agent/queue/deleting.py:_entries": "reads what the kernel says of a folder",
    "agent/record/certificates.py:_address": _OPERATOR + ": serve.names; the backend checks "
    "names first (est-request)",
    "agent/record/jumbf.py:<module>": "reads a constant",
    "agent/record/sealing.py:read_identities": _OPERATOR,
    "agent/record/sealing.py:seal": "reads names that Recipients.of has checked (fleet-payload)",
    "agent/record/segments.py:without_leading": "reads what the device's own encoder made",
    "agent/record/signing.py:read_private_key": _OWN + ", or a file that the operator names",
    "agent/serve/connection.py:<module>": "imports the class whose method is fuzzed (http)",
    "agent/wire/connection.py:_Connection.__init__": _NAMES_TYPE,
    "agent/wire/connection.py:_Connection.getresponse": _NAMES_TYPE,
    "agent/wire/http.py:HttpClient._pieces": _NAMES_TYPE,
    "agent/wire/tus.py:import email.utils": "is for _date, which is fuzzed (tus-answer)",
    "hardware/settings_toml.py:read_document": _OPERATOR,
    "hardware/simulated/drawing.py:main": "reads what the test that started it wrote",
    "hardware/simulated/sensor.py:processed": "reads the JPEG that it has just made",
    "hardware/simulated/world.py:World._resume": _OWN + ", on a simulated board only",
    "doorstep_backend/engines/s3.py:read_address": _OPERATOR,
    "doorstep_backend/engines/sqlite.py:Sqlite.__init__": _OWN,
    "doorstep_backend/identity/authority.py:Authority.of": _OWN,
    "doorstep_backend/identity/closings.py:device_end": _OWN,
    "doorstep_backend/identity/fleet.py:FleetDocuments._check_recipients": _OWN,
    "doorstep_backend/identity/fleet.py:FleetDocuments._newest": _OWN,
    "doorstep_backend/identity/fleet.py:_kid": _OWN,
    "doorstep_backend/identity/known.py:IssuedCertificate.x509": _OWN,
    "doorstep_backend/identity/names.py:Names._own": _OPERATOR,
    "doorstep_backend/identity/shown.py:serial_by_tls": "reads our certificate: TLS verified it",
    "doorstep_backend/office/access.py:PhotoAccess._views": _OWN,
    "doorstep_backend/office/archive.py:_File.label": _OWN,
    "doorstep_backend/office/archive.py:_bounds": _OPERATOR,
    "doorstep_backend/office/archive.py:_members": _OPERATOR,
    "doorstep_backend/office/corrections.py:_correction": _OWN,
    "doorstep_backend/office/due.py:DueErasures._somewhere": _OWN,
    "doorstep_backend/office/evidence_files.py:opened": "reads a body that open_checked has opened "
    "(tar): it has plain files alone",
    "doorstep_backend/office/export.py:_add_record": _WRITES,
    "doorstep_backend/office/export.py:import zipfile": _WRITES,
    "doorstep_backend/office/export.py:new_zip": _WRITES,
    "doorstep_backend/office/erasure.py:Erasure.holds": _OWN,
    "doorstep_backend/office/model.py:Office.open_anew": _NO_PARSER,
    "doorstep_backend/office/outcomes.py:_at": _OWN,
    "doorstep_backend/office/photos.py:_instant": _OWN,
    "doorstep_backend/office/picture.py:<module>": "reads a constant",
    "doorstep_backend/reports/pull_one.py:_answer_of": "reads an address that is_address checked",
    "doorstep_backend/reports/pull_one.py:_is_bare": _OPERATOR,
    "doorstep_backend/reports/store.py:report": _OWN,
    "doorstep_backend/settings.py:_proxies": _OPERATOR,
    "doorstep_backend/wire/intake.py:Intake._unpack": _NO_PARSER,
    "doorstep_backend/wire/records.py:Records._unpacked": _OWN,
}
"""The reason why each of these places needs no fuzzing, as the end of a sentence."""
