"""The bus: NATS with JetStream. Streams carry what happened, requests carry what is wanted."""

from services.bus.client import BUS_ERRORS, Bus, NoAnswer, NoResponder, reason_of
from services.bus.event_sender import EventSender
from services.bus.quarantined import Quarantined, quarantined
from services.bus.server import FAILED_WRITE, NatsServerConfig, command, find_nats_server, read_port, wait_until_ready
from services.bus.streams import StreamBounds, provision

__all__ = [
    "BUS_ERRORS",
    "FAILED_WRITE",
    "Bus",
    "EventSender",
    "NatsServerConfig",
    "NoAnswer",
    "NoResponder",
    "Quarantined",
    "StreamBounds",
    "command",
    "find_nats_server",
    "provision",
    "quarantined",
    "read_port",
    "reason_of",
    "wait_until_ready",
]
