"""What a device says of where it is, and how long a value is in it."""

import pytest

from plant.device import Encoding, Framing, ModbusDevice, ModbusLine, OpcuaDevice, SerialLine, TcpLine, TlsFiles

TRUSTED = TlsFiles("/etc/monazite/plc-ca.pem")


@pytest.mark.parametrize(
    ("line", "endpoint"),
    [
        (TcpLine("10.20.3.11", 502), "modbus://10.20.3.11:502/8"),
        (TcpLine("fe80::1", 1502), "modbus://[fe80::1]:1502/8"),
        (TcpLine("10.20.3.11", 4001, Framing.RTU), "modbus+rtu://10.20.3.11:4001/8"),
        (TcpLine("plc-1", 802, tls=TRUSTED), "modbus+tls://plc-1:802/8"),
        (SerialLine("/dev/ttyUSB0"), "modbus+serial:///dev/ttyUSB0/8"),
    ],
)
def test_an_endpoint_names_the_line_and_the_unit(line: ModbusLine, endpoint: str) -> None:
    device = ModbusDevice("MB-SEP-01", "SEP", line, 8)
    assert (device.protocol, device.endpoint) == ("modbus", endpoint)


def test_an_endpoint_that_people_see_bears_no_password() -> None:
    device = OpcuaDevice("PLC-SEP-01", "SEP", "opc.tcp://gateway:s3cret@10.20.3.21:4840/plant")
    assert device.endpoint == "opc.tcp://10.20.3.21:4840/plant"


def test_every_encoding_knows_its_registers() -> None:
    bits = {encoding: int(digits) for encoding in Encoding if (digits := "".join(filter(str.isdigit, encoding)))}
    assert {encoding: encoding.registers for encoding in bits} == {encoding: width // 16 for encoding, width in bits.items()}
    assert (Encoding.BIT.registers, Encoding.STRING.registers) == (1, 0)
