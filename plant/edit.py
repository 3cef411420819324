"""Changing history after the fact: what an edit may do."""

from enum import StrEnum


class EditMode(StrEnum):
    """What an edit does with a (tag, time) that is stored already, and with one that is not (OPC UA Part 11, PerformUpdateType)."""

    INSERT = "insert"
    """Stored already: rejected."""
    REPLACE = "replace"
    """Not stored: rejected."""
    UPDATE = "update"
    """Inserted or replaced."""
