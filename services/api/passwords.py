"""Passwords: Argon2id with the library's parameters (64 MiB, three passes)."""

from typing import Final

from pwdlib import PasswordHash
from pwdlib.exceptions import UnknownHashError

_HASHER: Final = PasswordHash.recommended()

_NOBODYS: Final = "$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHRzb21lc2FsdA$J4mNUVDIpqLTKdPJSqIvEiGoyiOSkfa/6r5aUBbX1OY"
"""A hash that no password is checked against but an unknown user's, so that both take the same time."""


def hash_password(password: str) -> str:
    return _HASHER.hash(password)


def is_password(password: str, stored: str | None) -> bool:
    """Whether ``password`` belongs to the hash ``stored``; ``None`` is an unknown user. About 0.1 s of one core either way: call it in a thread."""
    try:
        right = _HASHER.verify(password, stored or _NOBODYS)
    except UnknownHashError:
        return False
    return right and stored is not None
