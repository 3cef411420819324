"""Notification messages by the library's decoder alone: the way around ``publish_response`` for a server, or a release of the library, that breaks it."""

from collections.abc import Sequence
from typing import Any

from asyncua import ua
from asyncua.common.utils import Buffer
from asyncua.ua.ua_binary import struct_from_binary

from drivers.opcua.publish_response import NotificationMessage, PublishResponse
from plant import times


def read_publish_response(body: bytes) -> PublishResponse:
    """As ``publish_response.read_publish_response``; raises what the library raises."""
    response = struct_from_binary(ua.PublishResponse, Buffer(body))
    response.ResponseHeader.ServiceResult.check()
    told, message = response.Parameters, _message(response.Parameters.NotificationMessage)
    available, more = list(told.AvailableSequenceNumbers or ()), bool(told.MoreNotifications)
    return PublishResponse(
        message.sequence_number, message.publish_time, message.bears_data, message.ended, message.items, told.SubscriptionId, available, more
    )


def read_republish_response(body: bytes) -> NotificationMessage:
    """As ``read_publish_response``."""
    response = struct_from_binary(ua.RepublishResponse, Buffer(body))
    response.ResponseHeader.ServiceResult.check()
    return _message(response.NotificationMessage)


def _message(message: ua.NotificationMessage) -> NotificationMessage:
    parts: Sequence[Any] = message.NotificationData or ()
    items = [item for part in parts if isinstance(part, ua.DataChangeNotification) for item in part.MonitoredItems or ()]
    ended = [part.Status.value for part in parts if isinstance(part, ua.StatusChangeNotification)]
    return NotificationMessage(message.SequenceNumber, times.from_datetime(message.PublishTime), bool(parts), ended[-1] if ended else None, items)
