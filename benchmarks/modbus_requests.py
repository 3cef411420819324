"""Requests that read every Modbus tag of the reference plant once: our plan against one request a tag."""

from collections.abc import Iterator

from benchmarks.comparison import Comparison
from drivers.modbus.plan import plan, points_of
from plant import Site, reference_site
from plant.device import ModbusDevice


def counts(site: Site) -> tuple[int, int]:
    """(tags, requests) of the Modbus devices of a site, each scan class read once."""
    tags = requests = 0
    for device in site.devices.values():
        if isinstance(device, ModbusDevice):
            points = points_of(site.tags_on_wire(device.name))
            tags += len(points)
            requests += sum(len(scan.blocks) for scan in plan(device, points))
    return tags, requests


def comparisons() -> Iterator[Comparison]:
    """Tags that a hundred requests bring, so that more is better as in the others. What bounds it is the plant: one read a table and scan period."""
    tags, requests = counts(reference_site())
    yield Comparison(f"Modbus requests of a scan: {tags} tags in {requests}", "one request a tag", "tags in 100", 100 * tags / requests, 100.0, 2.0)
