"""What a device says of where it is."""

from plant.device import OpcuaDevice


def test_an_endpoint_that_people_see_bears_no_password() -> None:
    device = OpcuaDevice("PLC-SEP-01", "SEP", "opc.tcp://gateway:s3cret@10.20.3.21:4840/plant")
    assert device.endpoint == "opc.tcp://10.20.3.21:4840/plant"
