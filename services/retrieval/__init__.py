"""Reading history out of any store."""

from services.retrieval.history import BadCursor, History, Page, PointValue

__all__ = ["BadCursor", "History", "Page", "PointValue"]
