"""Secrets that are made at the first start and kept in the data folder, for their owner only."""

import os
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from plant.errors import ConfigurationError, Problem


def signing_key(data: Path) -> Ed25519PrivateKey:
    """The key that signs tokens: read, or made.

    Raises:
        ConfigurationError: the file is no Ed25519 key.
    """
    file = data / "secrets" / "token-signing-key.pem"
    if not file.exists():
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        write_secret(file, pem.decode())
    try:
        key = load_pem_private_key(file.read_bytes(), None)
    except ValueError:
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigurationError([Problem(str(file), None, None, "is no Ed25519 key", "delete it: a new one is made, and everybody logs in again")])
    return key


def write_secret(file: Path, text: str) -> None:
    """Writes whole or not at all, mode 0600; a file that another process made meanwhile stays."""
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as output:
        output.write(text)
        output.flush()
        os.fsync(output.fileno())
    try:
        os.link(draft, file)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
