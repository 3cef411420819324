"""Names on the bus: streams carry what happened, requests what is wanted (docs/formats/bus.md).

A subject token is a name of the plant as it stands; names hold no dots, spaces or wildcards where they become tokens (the site loader sees to it).
"""

from typing import Final

SAMPLES_STREAM: Final = "SAMPLES"
EVENTS_STREAM: Final = "EVENTS"
QUARANTINE_STREAM: Final = "QUARANTINE"

ALL_SAMPLES: Final = "samples.>"
ALL_EVENTS: Final = "events.>"
ALL_QUARANTINE: Final = "quarantine.>"
ALL_STATUS: Final = "status.>"

HISTORIAN: Final = "historian"
"""Durable consumer of both streams; it is made with the stream, so that nothing is published before somebody keeps it."""

CONTROL_PREPARE: Final = "control.prepare"
CONTROL_CONFIRM: Final = "control.confirm"
CONTROL_CANCEL: Final = "control.cancel"
CONTROL_GET: Final = "control.get"

HISTORY_EDIT: Final = "history.edit"
HISTORY_DELETE: Final = "history.delete"
HISTORY_RECALCULATE: Final = "history.recalculate"
HISTORY_REMOVED: Final = "history.removed"
"""What is in history no more and was somebody's current value, published when it is gone; in no stream."""


def samples(area: str, device: str) -> str:
    """Batches of a device (``plant.envelope``), in a stream."""
    return f"samples.{area}.{device}"


def event(kind: str) -> str:
    """Events (JSON of ``plant.event.Event``), in a stream. ``kind`` is dotted: ``command.done``."""
    return f"events.{kind}"


def gap(device: str, cause: str) -> str:
    """Gaps of a device, among the events: the last one of a cause says whether that loss was over when a gateway was last heard."""
    return f"events.gap.{device}.{cause.replace(' ', '-')}"


def status(area: str, device: str) -> str:
    """Device status (JSON of ``plant.link.DeviceStatus``), published at each change and every second; in no stream."""
    return f"status.{area}.{device}"


def command(area: str, device: str) -> str:
    """Request with a ``plant.command.Command``, answered by a ``CommandResult``; in no stream, ever: a replayed set-point is an accident."""
    return f"command.{area}.{device}"


def quarantine(subject: str) -> str:
    """Where a message goes that can never be stored; ``subject`` is the one it came on."""
    return f"quarantine.{subject}"
