"""The historian process: drains the bus into the store."""

from services.historian.historian import Historian

__all__ = ["Historian"]
