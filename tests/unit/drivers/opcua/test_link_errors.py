import struct

import pytest
from asyncua import ua

from drivers.opcua.link_errors import result_of, speaking_of
from plant.errors import DeviceProtocolError, DeviceUnreachable


@pytest.mark.parametrize(
    "error",
    [struct.error("short"), ValueError("no UTF-8"), IndexError("list"), OverflowError("date"), RecursionError("deep"), ua.UaError("chunk")],
    ids=lambda error: type(error).__name__,
)
def test_what_the_decoder_raises_over_bytes_that_are_no_message_is_the_devices_fault(error: Exception) -> None:
    with pytest.raises(DeviceProtocolError, match="the server's answer to a read cannot be read"), speaking_of("a read"):
        raise error


@pytest.mark.parametrize(
    "error", [TypeError("ord() expected a character"), AttributeError("no Value"), AssertionError()], ids=lambda error: type(error).__name__
)
def test_what_could_be_a_fault_of_ours_too_is_in_the_log_with_its_place(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(DeviceProtocolError), speaking_of("a read"):
        raise error
    assert [record.exc_info is not None for record in caplog.records] == [True]


@pytest.mark.parametrize("error", [TimeoutError(), ConnectionResetError("reset"), ua.uaerrors.BadTooManyOperations()])  # type: ignore[no-untyped-call]  # asyncua leaves it untyped
def test_silence_and_refusal_are_no_fault_of_the_protocol(error: Exception) -> None:
    with pytest.raises(DeviceUnreachable, match="a read"), speaking_of("a read"):
        raise error


@pytest.mark.parametrize(
    ("error", "result"),
    [
        (TimeoutError(), "timeout"),
        (ConnectionResetError("reset"), "disconnected"),
        (ua.uaerrors.BadTooManyOperations(), "refused"),  # type: ignore[no-untyped-call]  # asyncua leaves it untyped
        (struct.error("short"), "unreadable"),
    ],
)
def test_a_request_is_counted_by_how_it_ended(error: Exception, result: str) -> None:
    assert result_of(error) == result
