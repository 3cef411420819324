"""Device logic of a PLC, and what hangs on its terminals: motors, block valves, control valves, heaters."""

from simulators.plc.devices.block_valve import BlockValve, Discrepancy
from simulators.plc.devices.control_valve import ControlValve
from simulators.plc.devices.heater import Heater, HeaterAlarm
from simulators.plc.devices.motor import Motor, Trip
from simulators.plc.devices.stroke import Starter, Stroke

__all__ = ["BlockValve", "ControlValve", "Discrepancy", "Heater", "HeaterAlarm", "Motor", "Starter", "Stroke", "Trip"]
