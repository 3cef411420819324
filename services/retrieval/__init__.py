"""Reading history out of any store."""

from services.retrieval.history import BadCursor, History, Page, PointValue
from services.retrieval.processed import Intervals, Processed
from services.retrieval.reconciliation import Reconciliation, reconciled

__all__ = ["BadCursor", "History", "Intervals", "Page", "PointValue", "Processed", "Reconciliation", "reconciled"]
