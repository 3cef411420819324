"""Messages of a durable consumer: fetched in order, kept in hand while they are worked on, acknowledged when they are safe."""

import asyncio
import logging
from collections.abc import Sequence
from typing import Final

import nats.errors
from nats.aio.msg import Msg
from nats.js import JetStreamContext

from services.bus import BUS_ERRORS, reason_of
from services.bus.streams import ACKNOWLEDGE_WITHIN

_log = logging.getLogger(__name__)

_WAIT_FOR_FIRST: Final = 1.0
_WAIT_FOR_BUS: Final = 0.25


class Stopped(Exception):
    """Told to stop while what is in hand could not be stored: it is not acknowledged, and comes again."""


async def pause(stop: asyncio.Event, seconds: float) -> None:
    """Waits, and no longer than until ``stop`` is set."""
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return


async def fetch(subscription: JetStreamContext.PullSubscription, most: int) -> Sequence[Msg]:
    """Up to ``most`` messages, at once if there are any, else after at most a second; none while the bus is away."""
    try:
        return await subscription.fetch(most, timeout=_WAIT_FOR_FIRST)
    except (nats.errors.TimeoutError, TimeoutError):
        return []
    except BUS_ERRORS as error:
        _log.debug("no messages: %s", reason_of(error))
        await asyncio.sleep(_WAIT_FOR_BUS)
        return []


async def keep_in_hand(messages: Sequence[Msg]) -> None:
    """Tells the bus, until cancelled, that those not yet acknowledged are being worked on and are not to be handed out again."""
    while True:
        await asyncio.sleep(ACKNOWLEDGE_WITHIN / 2)
        for message in (message for message in messages if not message.is_acked):
            try:
                await message.in_progress()
            except BUS_ERRORS as error:
                _log.debug("the bus does not hear that messages are in hand: %s", reason_of(error))
                break


async def acknowledge(messages: Sequence[Msg]) -> None:
    """Says that these are safe. An acknowledgement that is lost does no harm: the message comes again and changes nothing."""
    for message in messages:
        try:
            await message.ack()
        except BUS_ERRORS as error:
            _log.debug("an acknowledgement did not leave, the message will come again: %s", reason_of(error))
