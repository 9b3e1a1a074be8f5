from pathlib import Path

from agent.record import receipt, signing


def test_keys_go_by_their_thumbprint(tmp_path: Path) -> None:
    key = signing.new_key().public_key()
    path = tmp_path / "receipt-key.pem"
    path.write_bytes(signing.public_pem(key))

    assert receipt.read_keys([path]) == {signing.thumbprint(key): receipt.Signer(key)}
