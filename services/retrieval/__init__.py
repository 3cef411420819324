"""Reading history out of any store."""

from services.retrieval.history import BadCursor, History, Page, PointValue
from services.retrieval.processed import Intervals, Processed
from services.retrieval.reconciliation import Reconciliation, reconciled
from services.retrieval.records import GapPage, Records, RevisionPage
from services.retrieval.tables import ARROW, CSV, JSON, PARQUET, pieces

__all__ = [
    "ARROW",
    "CSV",
    "JSON",
    "PARQUET",
    "BadCursor",
    "GapPage",
    "History",
    "Intervals",
    "Page",
    "PointValue",
    "Processed",
    "Reconciliation",
    "Records",
    "RevisionPage",
    "pieces",
    "reconciled",
]
