"""The gateway: owner of every connection to the field, in both directions."""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from prometheus_client import CollectorRegistry

from drivers import DeviceLink, DriverMetricFamilies
from plant import times
from plant.batch import Batch, SampleBatch
from plant.device import Device, Expression
from plant.errors import BusUnavailable
from plant.event import Event
from plant.ledger import GapCause, gap_of_event
from plant.link import DeviceStatus
from plant.site import Site
from services.bus import Bus, EventSender, provision, subjects
from services.bus.messages import encode_device_status
from services.gateway.calculation import Calculation
from services.gateway.line import Line
from services.gateway.metrics import GatewayMetrics
from services.gateway.outbox import Outbox
from services.gateway.protocols import Protocols
from services.gateway.read_backs import ReadBacks
from services.gateway.writes import Writes

_log = logging.getLogger(__name__)

STATUS_PERIOD: Final = 1.0
_DRAIN_DEADLINE: Final = 5.0
_BEGUN: Final = "gateway.begun"


class Gateway:
    """Runs one line a device of ``site`` until stopped. Devices share nothing but the bus: a device that hangs changes nothing for the others.

    ``pki_folder`` has the gateway's own certificate and those that it trusts (``drivers.opcua.Pki``); it is made when a device asks for one.
    """

    def __init__(self, site: Site, bus: Bus, registry: CollectorRegistry, pki_folder: Path) -> None:
        self._site = site
        self._bus = bus
        self._metrics = GatewayMetrics(registry)
        self._drivers = DriverMetricFamilies(registry)
        self._events = EventSender(bus, registry)
        self._lines: dict[str, Line] = {}
        self._outboxes: dict[str, Outbox] = {}
        self._links: dict[str, DeviceLink[Any]] = {}
        self._read_backs: dict[str, ReadBacks] = {}
        self._protocols = Protocols(pki_folder)
        self._status_due = asyncio.Event()
        self._calculations = [Calculation(tag, tag.source, site.by_name) for tag in site.tags if isinstance(tag.source, Expression)]

    def _add(self, device: Device, epoch: int) -> None:
        tags = [tag for tag in self._site.tags if tag.device == device.name]
        outbox = Outbox(self._bus, device.area, device.name, epoch, self._metrics)
        line = Line(device, tags, outbox, self._metrics, self._calculate, self._events.tell)
        self._outboxes[device.name] = outbox
        self._lines[device.name] = line
        driver_metrics = self._drivers.of(device.protocol, device.name)
        read_backs = self._read_backs[device.name] = ReadBacks(self._events.tell, lambda: link.status)

        async def publish(batch: Batch) -> None:
            read_backs.see(batch)
            await line.take(batch)

        on_wire = self._site.tags_on_wire(device.name)
        link = self._links[device.name] = DeviceLink(
            device, on_wire, self._protocols.opener(device), publish, self._status_changed, driver_metrics, account=line
        )

    async def run(self, stop: asyncio.Event, ready: Callable[[], None]) -> None:
        """Until ``stop`` is set; what was read by then is on the bus when it returns, if the bus takes it within some seconds.

        ``ready`` is called once commands are answered; links to devices may still be down.

        Raises:
            BusUnavailable: the streams could not be made.
        """
        await provision(self._bus)
        epoch = await self._begin()
        subscriptions = []
        commands: list[Writes] = []
        for name, device in self._site.devices.items():
            self._add(device, epoch)
            await self._take_over(name)
            by_name = {tag.name: tag for tag in self._site.tags_on_wire(name)}
            writes = Writes(self._links[name], device.write_within, by_name, self._metrics, self._events.tell, self._read_backs[name])
            commands.append(writes)
            subscriptions.append(await self._bus.serve(subjects.command(device.area, name), writes.answer))
        ready()
        async with asyncio.TaskGroup() as group:
            senders = [group.create_task(outbox.run()) for outbox in self._outboxes.values()]
            senders.append(group.create_task(self._events.run()))
            senders.append(group.create_task(self._tell_statuses()))
            readers = [group.create_task(link.run()) for link in self._links.values()]
            readers += [group.create_task(self._lines[name].tell_own_values(link)) for name, link in self._links.items()]
            await stop.wait()
            for subscription in subscriptions:
                await subscription.unsubscribe()
            await asyncio.gather(*(writes.finished() for writes in commands))
            await _cancel(readers)
            try:
                async with asyncio.timeout(_DRAIN_DEADLINE):
                    await asyncio.gather(*(outbox.drained() for outbox in self._outboxes.values()), self._events.sent())
            except TimeoutError:
                _log.error("stopped while the bus did not take batches: what it has not confirmed is lost, and the loss ledger will say so")
            await _cancel(senders)

    async def _begin(self) -> int:
        """The epoch of this run: our clock, or one more than the last run's if the clock was set back meanwhile. The stream of events keeps it."""
        now = times.now()
        try:
            last = await self._bus.last_event(subjects.event(_BEGUN))
            before = last.detail.get("epoch") if last is not None else None
        except ValueError as error:
            _log.warning("the last run of a gateway is not understood: %s", error)
            before = None
        epoch = max(now, before + 1) if isinstance(before, int) else now
        await self._bus.publish_event(Event(f"gateway:{epoch}", now, _BEGUN, self._site.name, detail={"epoch": epoch}))
        return epoch

    async def _take_over(self, name: str) -> None:
        """A gateway that ended during a loss left its gap open, and while a link was lost Bad values that only this one can end."""
        for cause in (GapCause.LINK_LOST, GapCause.DEVICE_STOPPED, GapCause.QUEUE_OVERFLOW, GapCause.BUS_REFUSED):
            try:
                event = await self._bus.last_event(subjects.gap(name, cause))
                gap = None if event is None else gap_of_event(event)
            except ValueError as error:
                _log.warning("%s: the last word on a loss is not understood: %s", name, error)
                continue
            if gap is not None and gap.end is None:
                self._lines[name].go_on_from(gap)
                if cause is GapCause.LINK_LOST:
                    self._links[name].go_on_from_loss(gap.start)

    async def _calculate(self, batch: SampleBatch) -> None:
        for calculation in self._calculations:
            await self._lines[calculation.tag.device].take(calculation.results(batch))

    def _status_changed(self, status: DeviceStatus) -> None:
        """People see at once that a link was lost or is back."""
        self._status_due.set()

    async def _tell_statuses(self) -> None:
        while True:
            self._status_due.clear()
            for name, link in self._links.items():
                status = link.status
                self._metrics.told(status)
                try:
                    await self._bus.publish_live(subjects.status(self._site.devices[name].area, name), encode_device_status(status))
                except BusUnavailable:
                    _log.debug("%s: its status did not leave, the next one will", name)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(STATUS_PERIOD):
                    await self._status_due.wait()


async def _cancel(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
