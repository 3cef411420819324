"""The streams: made, with their bounds, before anybody publishes.

Rules. ``SAMPLES`` is a work queue: a batch stays until the historian has committed it, however long the store is away; a full stream refuses new
batches, so that nothing unread is dropped, and the gateways hold theirs. ``EVENTS`` keeps a year beside the copy in the store, and when full drops its
oldest: the store has had them, and a set-point must not fail because of last year's. ``QUARANTINE`` holds what can never be stored; when full it drops its
oldest.
"""

from dataclasses import dataclass
from typing import Final

from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy, DiscardPolicy, RetentionPolicy, StorageType, StreamConfig
from nats.js.errors import BadRequestError, NotFoundError

from plant.errors import BusUnavailable
from services.bus import subjects
from services.bus.client import BUS_ERRORS, Bus, reason_of

ACKNOWLEDGE_WITHIN: Final = 5.0
"""Seconds after which a message that was handed to the historian and not acknowledged is handed out again."""

_DAY: Final = 86_400.0
_DUPLICATE_WINDOW: Final = 600.0


@dataclass(frozen=True, slots=True)
class StreamBounds:
    """Bytes on disk that each stream may take."""

    samples: int = 8 * 1024**3
    events: int = 1024**3
    quarantine: int = 256 * 1024**2


async def provision(bus: Bus, bounds: StreamBounds | None = None) -> None:
    """Makes the streams and the historian's place in them, or brings them to these bounds. Safe to call from every service at every start.

    Raises:
        BusUnavailable: the bus went away meanwhile, or has no room for them.
    """
    try:
        await _provision(bus, bounds or StreamBounds())
    except BUS_ERRORS as error:
        raise BusUnavailable(f"the streams cannot be made: {reason_of(error)}") from error


async def _provision(bus: Bus, bounds: StreamBounds) -> None:
    streams = (
        StreamConfig(
            name=subjects.SAMPLES_STREAM,
            subjects=[subjects.ALL_SAMPLES],
            retention=RetentionPolicy.WORK_QUEUE,
            discard=DiscardPolicy.NEW,
            max_bytes=bounds.samples,
            storage=StorageType.FILE,
            duplicate_window=_DUPLICATE_WINDOW,
        ),
        StreamConfig(
            name=subjects.EVENTS_STREAM,
            subjects=[subjects.ALL_EVENTS],
            retention=RetentionPolicy.LIMITS,
            discard=DiscardPolicy.OLD,
            max_bytes=bounds.events,
            max_age=366 * _DAY,
            storage=StorageType.FILE,
            duplicate_window=_DUPLICATE_WINDOW,
        ),
        StreamConfig(
            name=subjects.QUARANTINE_STREAM,
            subjects=[subjects.ALL_QUARANTINE],
            retention=RetentionPolicy.LIMITS,
            discard=DiscardPolicy.OLD,
            max_bytes=bounds.quarantine,
            max_age=366 * _DAY,
            storage=StorageType.FILE,
            duplicate_window=_DUPLICATE_WINDOW,
        ),
    )
    for stream in streams:
        await _make(bus.streams, stream)
    for name in (subjects.SAMPLES_STREAM, subjects.EVENTS_STREAM):
        historian = ConsumerConfig(
            durable_name=subjects.HISTORIAN,
            ack_policy=AckPolicy.EXPLICIT,
            ack_wait=ACKNOWLEDGE_WITHIN,
            deliver_policy=DeliverPolicy.ALL,
            max_deliver=-1,
            max_ack_pending=4096,
        )
        await bus.streams.add_consumer(name, historian)


async def _make(streams: JetStreamContext, config: StreamConfig) -> None:
    assert config.name is not None  # every configuration above names its stream
    try:
        await streams.stream_info(config.name)
    except NotFoundError:
        try:
            await streams.add_stream(config)
        except BadRequestError:  # another service made it in between
            await streams.update_stream(config)
    else:
        await streams.update_stream(config)
