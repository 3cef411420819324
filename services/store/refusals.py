"""Which errors of a database are about what it was given, and which about itself."""

from typing import Final

import psycopg

_REFUSALS: Final = ("22", "23", "54")
"""SQLSTATE classes: data exception, integrity constraint violation, program limit exceeded (PostgreSQL manual, Appendix A)."""


def is_refusal(error: BaseException | None) -> bool:
    """Whether the database will never take this, however often it is tried. Everything else passes, or is mended by people."""
    state = getattr(error, "sqlstate", None) or ""
    return isinstance(error, (psycopg.DataError, psycopg.IntegrityError)) or state.startswith(_REFUSALS)
