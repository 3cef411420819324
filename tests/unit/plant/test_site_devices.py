"""What devices.toml says of a device, and mistakes in it."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pytest

from plant.device import (
    AddressRange,
    BitWrites,
    CertificateUser,
    Decoder,
    Device,
    Framing,
    Identity,
    MessageSecurity,
    ModbusDevice,
    ModbusTable,
    NamedUser,
    OpcuaDevice,
    OpcuaSecurity,
    Parity,
    SecurityPolicy,
    SerialLine,
    TcpLine,
    TlsFiles,
    WriteStyle,
)
from plant.errors import Problem
from plant.heartbeat import Heartbeat
from plant.site_devices import parse_devices
from plant.site_document import read_document
from tests.unit.plant.small_site import SMALL_SITE, Mistake, check_mistake, problems_of, write_site

FORMAT: Final = Path(__file__).parents[3] / "docs" / "formats" / "site.md"
MODBUS: Final = "devices.MB-SEP-01"
OPCUA: Final = "devices.PLC-SEP-01"


def of_modbus(line: str, field: str, message: str, mend: str) -> Mistake:
    """``line`` comes to the Modbus device."""
    return Mistake("devices.toml", "max_registers = 20\n", f"max_registers = 20\n{line}\n", "devices.toml:8", f"{MODBUS}.{field}", message, mend)


def of_serial(line: str, field: str, message: str, mend: str, place: int = 5) -> Mistake:
    """The Modbus device is on a serial line, of which ``line`` stands in its fifth line."""
    new = f'serial = "/dev/ttyUSB0"\n{line}\n'
    return Mistake("devices.toml", 'host = "10.20.3.11"\nport = 502\n', new, f"devices.toml:{place}", f"{MODBUS}.{field}", message, mend)


def of_opcua(line: str, field: str, message: str, mend: str) -> Mistake:
    """``line`` comes to the OPC UA device."""
    return Mistake("devices.toml", ':4840"\n', f':4840"\n{line}\n', "devices.toml:13", f"{OPCUA}.{field}", message, mend)


def second(settings: str, place: str, message: str, mend: str, field: str = "") -> Mistake:
    """Another Modbus device at the address of the first."""
    table = f'[devices.MB-SEP-02]\nprotocol = "modbus"\narea = "SEP"\nhost = "10.20.3.11"\nport = 502\n{settings}\n'
    return Mistake("devices.toml", ':4840"\n', f':4840"\n{table}', place, f"devices.MB-SEP-02{field}", message, mend)


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
    "an answer that nobody waits for": Mistake(
        "devices.toml", "max_registers = 20", "timeout = 11", "devices.toml:7", "devices.MB-SEP-01.timeout", "above 0, up to 10", "timeout = 1"
    ),
    "a name that nothing proves": Mistake(
        "devices.toml",
        '4840"\n',
        '4840"\nsecurity_policy = "None"\napplication_uri = "urn:plc"\n',
        "devices.toml:14",
        "devices.PLC-SEP-01.application_uri",
        "nothing proves it",
        "remove it",
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
    "unknown framing": of_modbus('framing = "ascii"', "framing", "unknown framing 'ascii'", "write one of tcp, rtu"),
    "window of RTU": of_modbus('window = 2\nframing = "rtu"', "window", "answers of RTU framing bear no number", "window = 1"),
    "window too wide": of_modbus("window = 65", "window", "65 is no whole number from 1 to 64", "window = 1"),
    "endless pause": of_modbus("pause = 3601", "pause", "3601 is no number of seconds", "pause ="),
    "serial and host": Mistake(
        "devices.toml", "port = 502", 'serial = "/dev/ttyUSB0"', "devices.toml:4", f"{MODBUS}.host", "belongs to a socket", "remove it, or remove serial"
    ),
    "baud rate of a socket": of_modbus("baud_rate = 9600", "baud_rate", "belongs to a serial line", "serial ="),
    "serial port by a relative path": Mistake(
        "devices.toml",
        'host = "10.20.3.11"\nport = 502\n',
        'serial = "ttyUSB0"\n',
        "devices.toml:4",
        f"{MODBUS}.serial",
        "'ttyUSB0' is no absolute path",
        "as in /dev/ttyUSB0",
    ),
    "unknown parity": of_serial('parity = "mark"', "parity", "unknown parity 'mark'", "none, even, odd"),
    "three stop bits": of_serial("stop_bits = 3", "stop_bits", "3 is no whole number from 1 to 2", "stop_bits = 1"),
    "no such speed": of_serial("baud_rate = 110", "baud_rate", "110 is no whole number from 300", "baud_rate = 300"),
    "window of a serial line": of_serial("window = 1", "window", "belongs to a socket", "remove it"),
    "TLS of a serial line": of_serial('tls = { trusted = "/ca.pem" }', "tls", "belongs to a socket", "remove it"),
    "broadcast on a serial line": Mistake(
        "devices.toml",
        'host = "10.20.3.11"\nport = 502\nunit_id = 8\n',
        'serial = "/dev/ttyUSB0"\nunit_id = 0\n',
        "devices.toml:5",
        f"{MODBUS}.unit_id",
        "0 is the broadcast address",
        "1 … 247",
    ),
    "broadcast behind a converter": Mistake(
        "devices.toml", "unit_id = 8", 'unit_id = 0\nframing = "rtu"', "devices.toml:6", f"{MODBUS}.unit_id", "0 is the broadcast address", "1 … 247"
    ),
    "no socket on a serial line": Mistake(
        "devices.toml",
        'host = "10.20.3.11"\nport = 502\nunit_id = 8\n',
        'serial = "/dev/ttyUSB0"\nunit_id = 255\n',
        "devices.toml:5",
        f"{MODBUS}.unit_id",
        "255 is the device behind a socket itself",
        "1 … 247",
    ),
    "TLS as a flag": of_modbus("tls = true", "tls", "True is no table", "tls = { trusted ="),
    "TLS that trusts nobody": of_modbus("tls = {}", "tls.trusted", "is missing", "trusted ="),
    "TLS by a relative path": of_modbus('tls = { trusted = "ca.pem" }', "tls.trusted", "'ca.pem' is no absolute path", "from the root"),
    "certificate without a key": of_modbus(
        'tls = { trusted = "/ca.pem", certificate = "/me.pem" }', "tls.certificate", "of no use without its key", "both, or neither"
    ),
    "key without a certificate": of_modbus('tls = { trusted = "/ca.pem", key = "/me.key" }', "tls.certificate", "without its certificate", "both, or neither"),
    "unknown key of TLS": of_modbus(
        'tls = { trusted = "/ca.pem", verify = false }', "tls.verify", "unknown key 'verify'", "trusted, certificate, key, server_name"
    ),
    "one table of many lines": Mistake(
        "devices.toml",
        "\n[devices.PLC-SEP-01]",
        '[devices.MB-SEP-01.tls]\ntrusted = "/ca.pem"\nserver_name = ""\n[devices.PLC-SEP-01]',
        "devices.toml:10",
        f"{MODBUS}.tls.server_name",
        "'' is no text",
        "server_name =",
    ),
    "forbidden as a text": of_modbus('forbidden = "holding 7"', "forbidden", "'holding 7' is no list", 'forbidden = ["holding 100..199"'),
    "forbidden nonsense": of_modbus('forbidden = ["holding 7", "40001"]', "forbidden", "'40001' is no range of addresses", "holding 100..199"),
    "forbidden backwards": of_modbus('forbidden = ["holding 9..7"]', "forbidden", "'holding 9..7' is no range", "holding 100..199"),
    "forbidden behind the last": of_modbus('forbidden = ["coil 65536"]', "forbidden", "'coil 65536' is no range", "holding 100..199"),
    "forbidden as a number": of_modbus("forbidden = [7]", "forbidden", "7 is no range", "holding 100..199"),
    "unknown writes": of_modbus('writes = "both"', "writes", "unknown writes 'both'", "either, single, multiple"),
    "unknown bit writes": of_modbus('bit_writes = "or"', "bit_writes", "unknown bit_writes 'or'", "auto, mask, read-modify-write"),
    "identity of zeros": of_modbus("identity = { address = 0, registers = [0, 0] }", "identity.registers", "does not tell a device from another", "not all 0"),
    "identity of nothing": of_modbus("identity = { address = 0, registers = [] }", "identity.registers", "does not tell a device from another", "[17, 4]"),
    "identity without registers": of_modbus("identity = { address = 0 }", "identity.registers", "is missing", "[17, 4]"),
    "identity that is no register": of_modbus("identity = { address = 0, registers = [65536] }", "identity.registers", "[65536]", "0 to 65535"),
    "identity of 17 registers": of_modbus(f"identity = {{ address = 0, registers = {[7] * 17} }}", "identity.registers", "[7, 7,", "1 … 16"),
    "identity nowhere": of_modbus("identity = { registers = [17] }", "identity.address", "is missing", "address = 0"),
    "identity behind the last": of_modbus("identity = { address = 65535, registers = [1, 2] }", "identity.address", "ends at 65536", "correct the address"),
    "identity in bits": of_modbus(
        'identity = { table = "coil", address = 0, registers = [1] }', "identity.table", "the table coil holds bits", "holding or input"
    ),
    "identity in a forbidden place": of_modbus(
        'identity = { address = 7, registers = [17, 4] }\nforbidden = ["input 8", "holding 8..9"]', "identity", "lies in holding 8 to 9", "correct one"
    ),
    "identity too long": Mistake(
        "devices.toml",
        "max_registers = 20",
        "max_registers = 1\nidentity = { address = 7, registers = [17, 4] }",
        "devices.toml:8",
        f"{MODBUS}.identity",
        "has 2 registers, and the device gives 1 at once",
        "raise max_registers",
    ),
    "heartbeat as a name": of_modbus('heartbeat = "SEP.P101.KQ101"', "heartbeat", "'SEP.P101.KQ101' is no table", "heartbeat = { tag ="),
    "heartbeat of no tag": of_opcua("heartbeat = { within = 5 }", "heartbeat.tag", "is missing", "tag ="),
    "heartbeat at once": of_modbus('heartbeat = { tag = "SEP.P101.KQ101", within = 0 }', "heartbeat.within", "0 is no number of seconds", "within = 10"),
    "unknown key of a heartbeat": of_modbus('heartbeat = { tag = "SEP.P101.KQ101", every = 5 }', "heartbeat.every", "unknown key 'every'", "tag, within"),
    "policy of SHA-1": of_opcua('security_policy = "Basic256"', "security_policy", "Basic256 rests on SHA-1", "Basic256Sha256"),
    "unknown policy": of_opcua('security_policy = "none"', "security_policy", "unknown security_policy 'none'", "auto, None, Basic256Sha256"),
    "list of policies": of_opcua('security_policy = ["None"]', "security_policy", "unknown security_policy ['None']", "auto, None, Basic256Sha256"),
    "unknown mode": of_opcua('security_mode = "None"', "security_mode", "unknown security_mode 'None'", "Sign, SignAndEncrypt"),
    "mode under no policy": of_opcua('security_mode = "Sign"\nsecurity_policy = "None"', "security_mode", "nothing is signed", "choose another policy"),
    "user in the URL": Mistake("devices.toml", "opc.tcp://", "opc.tcp://me:s3cret@", "devices.toml:12", f"{OPCUA}.url", "bears a user", "password_file ="),
    "user as a name": of_opcua('user = "monazite"', "user", "'monazite' is no table", "user = { name ="),
    "password inline": of_opcua('user = { name = "monazite", password = "s3cret" }', "user.password", "no place for a password", "password_file ="),
    "user without a password": of_opcua('user = { name = "monazite" }', "user.password_file", "is missing", "password_file ="),
    "user without a name": of_opcua('user = { password_file = "/pw" }', "user.name", "is missing", "name ="),
    "password by a relative path": of_opcua('user = { name = "me", password_file = "pw" }', "user.password_file", "'pw' is no absolute path", "from the root"),
    "user of half a certificate": of_opcua('user = { certificate = "/me.pem" }', "user.key", "is missing", "key ="),
    "user of a key": of_opcua('user = { key = "/me.key" }', "user.certificate", "is missing", "certificate ="),
    "named user with a certificate": of_opcua(
        'user = { name = "me", certificate = "/me.pem", key = "/me.key" }', "user.name", "unknown key 'name'", "certificate, key"
    ),
    "decoder of another kind": of_opcua('decoder = "fast"', "decoder", "'fast'", "columns"),
    "polling as a number": of_opcua("polling = 1", "polling", "1 is neither true nor false", "polling = false"),
    "history as a text": of_opcua('history = "no"', "history", "'no' is neither true nor false", "history = true"),
    "line described otherwise": second(
        "unit_id = 9\nwindow = 2", "devices.toml:13", "the line modbus://10.20.3.11:502 is that of MB-SEP-01 too", "alike for every device of a line"
    ),
    "line of two framings": second('unit_id = 9\nframing = "rtu"', "devices.toml:13", "described otherwise", "framing, tls, window, pause"),
    "unit twice": second("unit_id = 8", "devices.toml:18", "modbus://10.20.3.11:502/8 is already that of MB-SEP-01", "give each device its own", ".unit_id"),
}


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_is_told_once_with_its_place_and_mend(mistake: Mistake, tmp_path: Path) -> None:
    check_mistake(mistake, tmp_path)


def parsed(text: str) -> tuple[Mapping[str, Device | None], list[Problem]]:
    problems: list[Problem] = []
    document = read_document("devices.toml", text, problems)
    return {} if document is None else parse_devices(document), problems


def test_the_example_of_the_format_says_everything_a_device_can_have() -> None:
    (example,) = [text for text in re.findall(r"```toml\n(.*?)```", FORMAT.read_text(encoding="utf-8"), re.DOTALL) if "[devices." in text]
    tls = TlsFiles("/etc/monazite/plc-ca.pem", "/etc/monazite/gateway.pem", "/etc/monazite/gateway.key", "plc-1")
    assert parsed(example) == (
        {
            "MB-SEP-01": ModbusDevice(
                "MB-SEP-01",
                "SEP",
                TcpLine("10.20.3.11", 502, Framing.TCP, tls, window=4, pause=0.02),
                8,
                max_registers=100,
                max_bits=1000,
                max_gap=4,
                forbidden=(AddressRange(ModbusTable.HOLDING, 100, 199), AddressRange(ModbusTable.INPUT, 7, 7)),
                timeout=0.5,
                writes=WriteStyle.MULTIPLE,
                bit_writes=BitWrites.READ_MODIFY_WRITE,
                identity=Identity(ModbusTable.HOLDING, 0, (17, 4)),
                heartbeat=Heartbeat("SYS.MB101.NT101", 5.0),
            ),
            "MB-SEP-02": ModbusDevice("MB-SEP-02", "SEP", SerialLine("/dev/ttyUSB0", 9600, Parity.NONE, 2), 3),
            "PLC-SEP-01": OpcuaDevice(
                "PLC-SEP-01",
                "SEP",
                "opc.tcp://10.20.3.21:4840",
                publishing_interval=0.5,
                timeout=3.0,
                security=OpcuaSecurity(SecurityPolicy.AES256_SHA256_RSA_PSS, MessageSecurity.SIGN),
                user=NamedUser("monazite", "/etc/monazite/plc-1.password"),
                polling=True,
                history=False,
                application_uri="urn:plc-1:vendor:server",
                heartbeat=Heartbeat("SYS.PLC101.NT101", 10.0),
                decoder=Decoder.LIBRARY,
            ),
            "PLC-SEP-02": OpcuaDevice(
                "PLC-SEP-02", "SEP", "opc.tcp://10.20.3.22:4840", user=CertificateUser("/etc/monazite/user.pem", "/etc/monazite/user.key")
            ),
        },
        [],
    )
    for protocol in ("modbus", "opcua"):
        _, (problem, *_) = parsed(f'[devices.X]\nprotocol = "{protocol}"\narea = "SEP"\nnonsense = 1\n')
        keys = problem.mend.removeprefix("the keys here are ").split(", ")
        assert len(keys) > 5
        assert [key for key in keys if f"\n{key} = " not in example] == []


def test_a_device_that_says_least_has_the_defaults() -> None:
    devices, problems = parsed(
        '[devices.A]\nprotocol = "modbus"\narea = "SEP"\nserial = "/dev/ttyS0"\nunit_id = 1\nidentity = { address = 3, registers = [9] }\n'
    )
    assert not problems
    assert devices["A"] == ModbusDevice("A", "SEP", SerialLine("/dev/ttyS0", 19200, Parity.EVEN, 1), 1, identity=Identity(ModbusTable.HOLDING, 3, (9,)))
    devices, problems = parsed('[devices.B]\nprotocol = "opcua"\narea = "SEP"\nurl = "opc.tcp://b:4840"\nheartbeat = { tag = "SEP.B.N" }\n')
    assert not problems
    security = OpcuaSecurity(SecurityPolicy.AUTO, MessageSecurity.SIGN_AND_ENCRYPT)
    assert devices["B"] == OpcuaDevice("B", "SEP", "opc.tcp://b:4840", security=security, heartbeat=Heartbeat("SEP.B.N", 10.0))


@pytest.mark.parametrize("policy", SecurityPolicy)
def test_every_policy_has_its_name(policy: SecurityPolicy) -> None:
    devices, problems = parsed(f'[devices.B]\nprotocol = "opcua"\narea = "SEP"\nurl = "opc.tcp://b:4840"\nsecurity_policy = "{policy}"\n')
    assert not problems
    assert devices["B"] == OpcuaDevice("B", "SEP", "opc.tcp://b:4840", security=OpcuaSecurity(policy))


@pytest.mark.parametrize("text", ["holding 7..9", "holding 7-9", "holding  7 .. 9"])
def test_a_range_may_be_written_in_several_ways(text: str) -> None:
    devices, problems = parsed(f'[devices.A]\nprotocol = "modbus"\narea = "SEP"\nhost = "a"\nport = 502\nunit_id = 1\nforbidden = ["{text}"]\n')
    assert not problems
    assert devices["A"] == ModbusDevice("A", "SEP", TcpLine("a", 502), 1, forbidden=(AddressRange(ModbusTable.HOLDING, 7, 9),))


@pytest.mark.parametrize("line", ['host = "a"\nport = 502\nframing = "rtu"\npause = 0.1', 'serial = "/dev/ttyS0"\nparity = "odd"'])
def test_devices_with_one_line_share_it(line: str) -> None:
    head = f'protocol = "modbus"\narea = "SEP"\n{line}\n'
    devices, problems = parsed(f"[devices.A]\n{head}unit_id = 1\ntimeout = 2\n[devices.B]\n{head}unit_id = 2\n")
    assert not problems
    lines = [device.line for device in devices.values() if isinstance(device, ModbusDevice)]
    assert len(lines) == 2
    assert lines[0] == lines[1]


def test_a_password_in_the_wrong_place_is_not_told(tmp_path: Path) -> None:
    devices = write_site(tmp_path) / "devices.toml"
    devices.write_text(SMALL_SITE["devices.toml"].replace("opc.tcp://", "opc.tcp://me:s3cret@") + 'user = { name = "me", password = "s3cret" }\n')
    problems = problems_of(tmp_path)
    assert [problem.field for problem in problems] == [f"{OPCUA}.url", f"{OPCUA}.user.password"]
    assert "s3cret" not in "\n".join(map(str, problems))
