"""The store: history, ledger, events and accounts in a database."""

from services.store.interface import Account, Commit, CommitReport, Store
from services.store.opening import open_store
from services.store.rows import check_event, check_storable

__all__ = ["Account", "Commit", "CommitReport", "Store", "check_event", "check_storable", "open_store"]
