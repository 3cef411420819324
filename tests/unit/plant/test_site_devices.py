"""Mistakes in devices.toml."""

from pathlib import Path

import pytest

from tests.unit.plant.small_site import Mistake, check_mistake

MISTAKES = {
    "no devices key": Mistake("devices.toml", '4840"\n', '4840"\n[device.X]\narea = 1\n', "devices.toml:13", "device", "unknown key 'device'", "devices"),
    "no device table": Mistake(
        "devices.toml", "[devices.MB-SEP-01]", "[devices]\nMB = 1\n[devices.MB-SEP-01]", "devices.toml:2", "devices.MB", "unknown key 'MB'", "[devices.NAME]"
    ),
    "device with a dot": Mistake(
        "devices.toml",
        '4840"\n',
        '4840"\n[devices."A.B"]\nprotocol = "opcua"\narea = "SEP"\nurl = "opc.tcp://10.0.0.1"\n',
        "devices.toml:13",
        "devices.A.B",
        "'A.B' is no device name",
        "bus subject",
    ),
    "unknown protocol": Mistake("devices.toml", '"modbus"', '"profibus"', "devices.toml:2", "devices.MB-SEP-01.protocol", "'profibus'", "modbus, opcua"),
    "protocol missing": Mistake("devices.toml", 'protocol = "modbus"\n', "\n", "devices.toml:1", "devices.MB-SEP-01.protocol", "is missing", "protocol ="),
    "host missing": Mistake("devices.toml", 'host = "10.20.3.11"\n', "\n", "devices.toml:1", "devices.MB-SEP-01.host", "is missing", "write host ="),
    "port too large": Mistake(
        "devices.toml", "502", "70000", "devices.toml:5", "devices.MB-SEP-01.port", "70000 is no whole number from 1 to 65535", "port = 1"
    ),
    "port as text": Mistake("devices.toml", "502", '"502"', "devices.toml:5", "devices.MB-SEP-01.port", "'502' is no whole number", "port = 1"),
    "unit id reserved": Mistake("devices.toml", "unit_id = 8", "unit_id = 250", "devices.toml:6", "devices.MB-SEP-01.unit_id", "250 is reserved", "0 … 247"),
    "read too long": Mistake(
        "devices.toml", "= 20\n", "= 126\n", "devices.toml:7", "devices.MB-SEP-01.max_registers", "126 is no whole number from 1 to 125", "write"
    ),
    "unknown device key": Mistake(
        "devices.toml", "max_registers", "max_words", "devices.toml:7", "devices.MB-SEP-01.max_words", "unknown key", "max_registers"
    ),
    "area as subject": Mistake(
        "devices.toml", '"SEP"\nhost', '"S.P"\nhost', "devices.toml:3", "devices.MB-SEP-01.area", "'S.P' is no area name", "bus subject"
    ),
    "url of http": Mistake(
        "devices.toml", "opc.tcp:", "http:", "devices.toml:12", "devices.PLC-SEP-01.url", "no address of an OPC UA server", "opc.tcp://HOST"
    ),
    "half an IPv6 address": Mistake(
        "devices.toml", "10.20.3.21:4840", "[:4840", "devices.toml:12", "devices.PLC-SEP-01.url", "no address of an OPC UA", "opc.tcp"
    ),
    "no host": Mistake("devices.toml", 'host = "10.20', 'host = "10..20', "devices.toml:4", "devices.MB-SEP-01.host", "is no host", "an IP address"),
    "port too high": Mistake("devices.toml", "4840", "70000", "devices.toml:12", "devices.PLC-SEP-01.url", "no address of an OPC UA server", "opc.tcp"),
    "no time-out": Mistake(
        "devices.toml", "max_registers = 20", "timeout = 0", "devices.toml:7", "devices.MB-SEP-01.timeout", "0 is no number of seconds", "timeout = 1"
    ),
    "devices no TOML": Mistake("devices.toml", "port = 502", "port 502", "devices.toml:5", None, "is no TOML", "mend this line"),
    "key twice": Mistake("devices.toml", "port = 502", "host = 502", "devices.toml:5", None, "is no TOML", "mend this line"),
    "endpoint twice": Mistake(
        "devices.toml",
        '4840"\n',
        '4840"\n[devices.PLC-SEP-02]\nprotocol = "opcua"\narea = "SEP"\nurl = "opc.tcp://10.20.3.21:4840"\n',
        "devices.toml:16",
        "devices.PLC-SEP-02.url",
        "is already that of PLC-SEP-01",
        "give each device its own",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_is_told_once_with_its_place_and_mend(mistake: Mistake, tmp_path: Path) -> None:
    check_mistake(mistake, tmp_path)
