"""A third protocol, whole: what a plant's engineer writes in a day to connect a device that speaks neither OPC UA nor Modbus (docs/adding-a-protocol.md)."""

from tests.weighbridge.device import WeighbridgeDevice
from tests.weighbridge.indicator import Indicator
from tests.weighbridge.session import open_weighbridge

__all__ = ["Indicator", "WeighbridgeDevice", "open_weighbridge"]
