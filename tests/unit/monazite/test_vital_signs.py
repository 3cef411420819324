from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Counter, Gauge, start_http_server

from monazite.vital_signs import VitalSigns, read_vital_signs


@contextmanager
def served(registry: CollectorRegistry) -> Iterator[str]:
    server, thread = start_http_server(0, "127.0.0.1", registry)
    try:
        yield f"http://127.0.0.1:{server.server_port}/metrics"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10.0)


async def test_figures_come_from_the_metrics_of_the_services() -> None:
    registry = CollectorRegistry()
    up = Gauge("monazite_driver_up", "x", ("driver", "device"), registry=registry)
    up.labels("modbus", "A").set(1)
    up.labels("modbus", "B").set(0)
    up.labels("opcua", 'C "1"').set(1)
    Counter("monazite_samples_stored", "x", registry=registry).inc(1234)
    with served(registry) as url:
        assert await read_vital_signs(url, url) == VitalSigns(devices=3, devices_up=2, stored=1234.0)
        assert await read_vital_signs(None, url) == VitalSigns(devices=None, devices_up=None, stored=1234.0)
    assert await read_vital_signs(url, url) == VitalSigns(devices=None, devices_up=None, stored=None)
