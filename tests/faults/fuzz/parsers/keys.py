"""The key and the authority of all samples; both are public."""

from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec

from agent.models import CaptureId
from agent.record import certificates, receipt, signing

KEY: Final = ec.derive_private_key(20_261_201, ec.SECP256R1())
"""The key that signs mutated payloads, so that the parsers behind the signature run too."""

PUBLIC: Final = KEY.public_key()

KEYS: Final = {signing.thumbprint(PUBLIC): PUBLIC}

SIGNERS: Final = receipt.signers_without_end(PUBLIC)

AUTHORITY_PEM: Final = (Path(__file__).parents[1] / "authority.pem").read_bytes()

AUTHORITY: Final = certificates.read_pem(AUTHORITY_PEM)

DEVICE: Final = "van-7"
CAPTURE_ID: Final = CaptureId("0b0f9b0e-3c1c-4a43-9f1c-3f4f6a3f2b11")
