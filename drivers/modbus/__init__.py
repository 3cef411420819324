"""Modbus over TCP, TLS, RTU gateways and serial lines: block reads, every register type, writes with read-back; several units may share one line."""

from drivers.modbus.driver import ModbusDriver
from drivers.modbus.session import ModbusSession

__all__ = ["ModbusDriver", "ModbusSession"]
