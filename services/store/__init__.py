"""The store: history, ledger, events and accounts in a database."""

from services.store.interface import Account, Commit, CommitReport, Store

__all__ = ["Account", "Commit", "CommitReport", "Store"]
