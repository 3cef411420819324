"""Certificates of servers that are not trusted, kept for an administrator to look at and to move to where they are. Strangers write here: it is bounded."""

import os
import re
import tempfile
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from drivers.opcua.security.server_certificate import common_name, thumbprint

_MOST: Final = 100
_LONGEST_NAME: Final = 64
_NEW: Final = ".new-"


def file_name(certificate: x509.Certificate) -> str:
    """Such as ``PLC-SEP-01 [9F86D081…].der``: what a stranger wrote into his certificate is no path and no option of a command."""
    name = re.sub(r"[^A-Za-z0-9._ -]", "_", common_name(certificate))[:_LONGEST_NAME].strip(" .-")
    return f"{name or 'no name'} [{thumbprint(certificate)}].der"


def keep_rejected(folder: Path, certificate: x509.Certificate) -> Path:
    """Writes it into ``folder``, or marks it as seen again; beyond a hundred the one longest not seen goes.

    Raises:
        OSError
    """
    path, der = folder / file_name(certificate), certificate.public_bytes(Encoding.DER)
    if path.exists() and path.read_bytes() == der:
        os.utime(path)
        return path
    for left_behind in folder.glob(f"{_NEW}*"):  # of a process that was killed
        left_behind.unlink(missing_ok=True)
    descriptor, temporary = tempfile.mkstemp(prefix=_NEW, dir=folder)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, 0o644)
            file.write(der)
            file.flush()
            os.fsync(descriptor)
        Path(temporary).replace(path)
    finally:
        Path(temporary).unlink(missing_ok=True)
    kept = sorted(folder.glob("*.der"), key=lambda one: one.stat().st_mtime_ns)
    for oldest in kept[:-_MOST]:
        oldest.unlink(missing_ok=True)
    return path
