"""A site: its devices and its tags, with the look-ups every service needs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from plant.device import ClockOffset, Device, Expression, LinkLost, ModbusDevice, OpcuaSecurity, TcpLine
from plant.tag import Tag


@dataclass(frozen=True)
class Site:
    """Devices by name and tags by id. Made by ``load_site``, which has checked that names and ids are unique and every tag's device exists."""

    name: str
    devices: Mapping[str, Device]
    tags: Sequence[Tag]

    @cached_property
    def by_name(self) -> Mapping[str, Tag]:
        return {tag.name: tag for tag in self.tags}

    @cached_property
    def by_id(self) -> Mapping[int, Tag]:
        return {tag.id: tag for tag in self.tags}

    def tags_on_wire(self, device: str) -> tuple[Tag, ...]:
        """Tags that ``device`` itself serves."""
        return tuple(tag for tag in self.tags if tag.device == device and not isinstance(tag.source, (LinkLost, ClockOffset, Expression)))

    def tags_of_gateway(self) -> tuple[Tag, ...]:
        """Tags whose value the gateway knows or computes."""
        return tuple(tag for tag in self.tags if isinstance(tag.source, (LinkLost, ClockOffset, Expression)))

    def at_endpoints(self, endpoints: Mapping[str, str]) -> "Site":
        """The same site with devices as their simulators stand for them: ``host:port`` of a Modbus device, over plain TCP; URL of an OPC UA one, without
        security and users. Devices not named stay.
        """
        devices = dict(self.devices)
        for name, endpoint in endpoints.items():
            device = devices[name]
            if isinstance(device, ModbusDevice):
                host, _, port = endpoint.rpartition(":")
                devices[name] = replace(device, line=TcpLine(host, int(port)), identity=None)
            else:
                devices[name] = replace(device, url=endpoint, security=OpcuaSecurity.none(), user=None)
        return replace(self, devices=devices)
