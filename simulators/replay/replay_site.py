"""The site that reads recordings: a device for each recording, a tag for each column and one that counts the rows. Pure."""

import math
import re
from collections.abc import Iterator, Mapping
from typing import Final, Literal

import numpy as np

from plant.batch import Float64Column
from plant.device import Device, Encoding, ModbusAddress, ModbusDevice, ModbusTable, OpcuaAddress, OpcuaDevice, OpcuaSecurity, Source, TcpLine
from plant.errors import ConfigurationError, Problem
from plant.site import Site
from plant.tag import AlarmLimits, DataType, Kind, Tag
from simulators.replay.recording import Recording

Protocol = Literal["modbus", "opcua"]

AREA: Final = "RPL"
ROW: Final = "ROW"
NAMESPACE: Final = "urn:monazite:replay"
ROW_INTERVAL_MS: Final = 10
"""Shortest time between two rows on an OPC UA device: the sampling interval its tags ask for, by which a client sizes the queue of each tag."""

_UNIT_ID: Final = 1
_HOST: Final = "127.0.0.1"
_MODBUS_PORT: Final = 502
_OPCUA_PORT: Final = 4840
_SCAN_MS: Final = (10, 20)
_PUBLISHING_INTERVAL: Final = 0.1
_REGISTERS_OF_REQUEST: Final = 125
_ROW_REGISTERS: Final = Encoding.UINT32.registers
_COLUMN_REGISTERS: Final = Encoding.FLOAT32.registers
_MOST_COLUMNS: Final = (_REGISTERS_OF_REQUEST - _ROW_REGISTERS) // _COLUMN_REGISTERS
_MARGIN: Final = 0.1


def replay_site(recordings: Mapping[str, Recording], protocol: Protocol, first_id: int = 1, speed: float = 1.0) -> Site:
    """A site with one device ``REPLAY-<stem>`` for each recording (stem -> recording), tags ``RPL.<STEM>.<COLUMN>`` and ``RPL.<STEM>.ROW``.

    ``ROW`` counts the rows from 0. On Modbus it and all columns (float32, in the order of the file) are one block of input registers from address 0, so
    that one request reads one row whole; on OPC UA the columns are Double. Tag ids run on from ``first_id``. ``speed`` is the speed at which the recordings
    will be played: the faster the rows, the shorter the scan of a Modbus tag, 20 ms down to 10 ms. Endpoints are placeholders: see ``Site.at_endpoints``.

    Raises:
        ConfigurationError: a recording has more columns than one Modbus request can read, or two recordings lead to one name.
    """
    devices: dict[str, Device] = {}
    tags: list[Tag] = []
    for number, (stem, recording) in enumerate(recordings.items()):
        name = device_name(stem)
        _check(stem, name, recording, protocol, devices)
        devices[name] = _device(name, protocol, number)
        tags += _tags(stem, name, recording, protocol, first_id + len(tags), _scan_ms(recording, protocol, speed))
    return Site("Replay", devices, tuple(tags))


def device_name(stem: str) -> str:
    return f"REPLAY-{re.sub(r'[^A-Za-z0-9_-]', '_', stem)}"


def _device(name: str, protocol: Protocol, number: int) -> Device:
    if protocol == "modbus":
        return ModbusDevice(name, AREA, TcpLine(_HOST, _MODBUS_PORT + number), _UNIT_ID, max_gap=0)
    return OpcuaDevice(name, AREA, f"opc.tcp://{_HOST}:{_OPCUA_PORT + number}", _PUBLISHING_INTERVAL, security=OpcuaSecurity.none())


def _tags(stem: str, device: str, recording: Recording, protocol: Protocol, first_id: int, scan_ms: int) -> Iterator[Tag]:
    unit = _point(stem)
    columns = list(recording.names)
    points = [ROW, *_points(columns)]
    for number, (point, column) in enumerate(zip(points, ["", *columns], strict=True)):
        is_row = number == 0
        name = f"{AREA}.{unit}.{point}"
        yield Tag(
            id=first_id + number,
            name=name,
            area=AREA,
            unit=unit,
            description=f"Row of the recording {stem}, from 0" if is_row else f"{column}, recorded in {stem}",
            kind=Kind.ANALOG_INPUT,
            data_type=DataType.UINT32 if is_row else DataType.FLOAT if protocol == "modbus" else DataType.DOUBLE,
            engineering_unit="",
            eu_range=(0.0, 2.0**32 - 1) if is_row else _range(recording.values[:, number - 1]),
            normal=None,
            device=device,
            source=_source(name, number, protocol),
            scan_ms=scan_ms,
            deadband=0.0 if protocol == "modbus" else None,
            compression_deviation=None,
            alarm_limits=AlarmLimits(),
            priority=None,
            writable=False,
        )


def _source(name: str, number: int, protocol: Protocol) -> Source:
    if protocol == "opcua":
        return OpcuaAddress(f"nsu={NAMESPACE};s={name}")
    if number == 0:
        return ModbusAddress(ModbusTable.INPUT, 0, Encoding.UINT32, length=_ROW_REGISTERS)
    return ModbusAddress(ModbusTable.INPUT, _ROW_REGISTERS + (number - 1) * _COLUMN_REGISTERS, Encoding.FLOAT32, length=_COLUMN_REGISTERS)


def _scan_ms(recording: Recording, protocol: Protocol, speed: float) -> int:
    """Two scans a row, within bounds."""
    if protocol == "opcua":
        return ROW_INTERVAL_MS
    return round(min(max(recording.interval / speed * 1000.0 / 2.0, _SCAN_MS[0]), _SCAN_MS[1]))


def _range(column: Float64Column) -> tuple[float, float]:
    """What was recorded and a tenth more at each end, in whole numbers: rounding to float32 never leads out of it."""
    known = column[np.isfinite(column)]
    low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)
    margin = _MARGIN * (high - low)
    return math.floor(low - margin), max(math.ceil(high + margin), math.floor(low - margin) + 1)


def _point(text: str) -> str:
    return re.sub(r"[^A-Z0-9_]", "_", text.upper())


def _points(columns: list[str]) -> list[str]:
    """A point for each column; where two come out alike, or like the counter, the second gets a number."""
    taken = {ROW}
    points = []
    for column in columns:
        point = base = _point(column)
        number = 2
        while point in taken:
            point, number = f"{base}_{number}", number + 1
        taken.add(point)
        points.append(point)
    return points


def _check(stem: str, name: str, recording: Recording, protocol: Protocol, devices: Mapping[str, Device]) -> None:
    if protocol == "modbus" and len(recording.names) > _MOST_COLUMNS:
        message = f"has {len(recording.names)} columns, and one Modbus request reads {_MOST_COLUMNS} of them"
        raise ConfigurationError([Problem(stem, None, None, message, "replay it over opcua, or leave columns out")])
    if any(name.upper().replace("-", "_") == other.upper().replace("-", "_") for other in devices):
        raise ConfigurationError([Problem(stem, None, None, f"is the second recording that would be the device {name}", "rename the file")])
