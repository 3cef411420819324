import json
from pathlib import Path

from monazite.endpoints import write_endpoints
from plant import ModbusDevice, OpcuaDevice, Site, TcpLine


def test_every_address_is_given_as_the_contract_says(tmp_path: Path) -> None:
    modbus = ModbusDevice("PLC-1", "SX", TcpLine("127.0.0.1", 5020), 3)
    opcua = OpcuaDevice("PLC-2", "MG", "opc.tcp://127.0.0.1:4841/plant")
    site = Site("test", {"PLC-1": modbus, "PLC-2": opcua}, [])
    file = tmp_path / "endpoints.json"
    write_endpoints(file, "http://127.0.0.1:8080", "nats://127.0.0.1:4222", {"api": "http://127.0.0.1:8080/metrics"}, site)
    assert json.loads(file.read_text()) == {
        "api": "http://127.0.0.1:8080",
        "nats": "nats://127.0.0.1:4222",
        "metrics": {"api": "http://127.0.0.1:8080/metrics"},
        "devices": [
            {"name": "PLC-1", "protocol": "modbus", "host": "127.0.0.1", "port": 5020, "unit_id": 3},
            {"name": "PLC-2", "protocol": "opcua", "host": "127.0.0.1", "port": 4841, "url": "opc.tcp://127.0.0.1:4841/plant"},
        ],
    }
