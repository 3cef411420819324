"""From what the OPC UA stack raises to the errors of the house."""

import logging
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from asyncua import ua

from plant.errors import DeviceProtocolError, DeviceUnreachable
from plant.quality import quality_name, stored_form

_log = logging.getLogger(__name__)

_UNREADABLE: Final = (struct.error, ValueError, LookupError, ArithmeticError, RecursionError)
"""What the library's decoder raises over bytes that are no message: it checks few of them before it uses them."""

_UNREADABLE_OR_OURS: Final = (TypeError, AttributeError, AssertionError)
"""What it raises over bytes that are no message; so would a fault of ours."""
RAISED: Final = (OSError, ua.UaError, *_UNREADABLE, *_UNREADABLE_OR_OURS)
"""All that a request may raise; a time-out is an OSError."""


def result_of(error: Exception) -> str:
    """The ``result`` label of a request that ended in an error of the library's."""
    if isinstance(error, TimeoutError):
        return "timeout"
    if isinstance(error, ua.UaStatusCodeError):
        return "refused"
    return "disconnected" if isinstance(error, OSError) else "unreadable"


@contextmanager
def speaking_of(exchange: str) -> Iterator[None]:
    """Names the ``exchange`` with the server that failed.

    Raises:
        DeviceUnreachable: no answer, no connection, or the server refused the service.
        DeviceProtocolError: the answer cannot be read.
    """
    try:
        yield
    except TimeoutError as error:
        raise DeviceUnreachable(f"no answer to {exchange} in time") from error
    except OSError as error:
        raise DeviceUnreachable(f"no connection for {exchange}: {error}") from error
    except ua.UaStatusCodeError as error:
        raise DeviceUnreachable(f"the server refused {exchange}: {quality_name(stored_form(error.code))}") from error
    except _UNREADABLE_OR_OURS as error:  # which is why the log has the traceback
        _log.warning("the server's answer to %s cannot be read", exchange, exc_info=True)
        raise DeviceProtocolError(f"the server's answer to {exchange} cannot be read: {error}") from error
    except (ua.UaError, *_UNREADABLE) as error:
        raise DeviceProtocolError(f"the server's answer to {exchange} cannot be read: {error}") from error
