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


def result_of(error: DeviceUnreachable | DeviceProtocolError) -> str:
    """The ``result`` label of a request that ended in an error raised by ``speaking_of``."""
    if isinstance(error, DeviceProtocolError):
        return "unreadable"
    if isinstance(error.__cause__, ua.UaStatusCodeError):
        return "refused"
    return "timeout" if isinstance(error.__cause__, TimeoutError) else "disconnected"


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
    except (TypeError, AttributeError, AssertionError) as error:
        # The library's decoder raises these over bytes that are no message; so would a fault of ours, which is why the log has the traceback.
        _log.warning("the server's answer to %s cannot be read", exchange, exc_info=True)
        raise DeviceProtocolError(f"the server's answer to {exchange} cannot be read: {error}") from error
    except (ua.UaError, *_UNREADABLE) as error:
        raise DeviceProtocolError(f"the server's answer to {exchange} cannot be read: {error}") from error
