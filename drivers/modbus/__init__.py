"""Modbus TCP: block reads, every register type, writes with read-back."""

from drivers.modbus.session import open_modbus

__all__ = ["open_modbus"]
