"""The store: history, ledger, events and accounts in a database."""

from services.store.interface import (
    BEFORE_ALL,
    HOUR,
    MINUTE,
    Account,
    Authorship,
    Commit,
    CommitReport,
    DueHours,
    Edit,
    EditReport,
    GapKey,
    InputChange,
    Place,
    Revisions,
    RollUps,
    Store,
)
from services.store.opening import open_store
from services.store.rows import FIRST_TIME, LAST_TIME, check_event, check_storable, rows_in

__all__ = [
    "BEFORE_ALL",
    "FIRST_TIME",
    "HOUR",
    "LAST_TIME",
    "MINUTE",
    "Account",
    "Authorship",
    "Commit",
    "CommitReport",
    "DueHours",
    "Edit",
    "EditReport",
    "GapKey",
    "InputChange",
    "Place",
    "Revisions",
    "RollUps",
    "Store",
    "check_event",
    "check_storable",
    "open_store",
    "rows_in",
]
