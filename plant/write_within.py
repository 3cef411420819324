"""How long a command may take at its device."""

from typing import Final

WRITE_WITHIN: Final = 2.0
"""Seconds for a write and its read-back, unless the device is a slow one (``FieldDevice.write_within``)."""
