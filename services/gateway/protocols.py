"""Which driver speaks to which device: the one place that knows every field protocol."""

from pathlib import Path
from typing import Any

from drivers import OpenSession
from drivers.modbus import ModbusDriver
from drivers.opcua import OpcuaDriver, Pki
from plant.device import Device, ModbusDevice, OpcuaDevice


class Protocols:
    """The drivers of one gateway process. Each is made once: devices may share what a driver keeps, as units of a Modbus line share their connection."""

    def __init__(self, pki_folder: Path) -> None:
        self._modbus = ModbusDriver()
        self._opcua = OpcuaDriver(Pki(pki_folder))

    def opener(self, device: Device) -> OpenSession[Any]:
        match device:
            case ModbusDevice():
                return self._modbus.open
            case OpcuaDevice():
                return self._opcua.open
