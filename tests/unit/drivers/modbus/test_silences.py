"""When units of a line that do not answer are tried again, and what that costs the others."""

from drivers.modbus.silences import Silences


def test_the_tries_of_any_number_of_silent_units_cost_their_line_a_twentieth_of_its_time() -> None:
    """Forty units behind one gateway are away for an hour; one answers all the while. Each try is made when its place has come, and takes its time-out."""
    silences = Silences()
    timeout, hour = 1.0, 3600.0
    next_try = dict.fromkeys(range(40), 0.0)
    now = spent = 0.0
    while now < hour:
        unit = min(next_try, key=next_try.__getitem__)
        now = max(now, next_try[unit]) + timeout
        silences.unit_answered(99)
        wait = silences.next_try(unit, timeout, [now - 0.5], now)
        next_try[unit] = now + (1.0 if wait is None else wait)
        spent += timeout if wait is not None else 0.0
    assert 0.04 * hour < spent < 0.055 * hour + 40 * timeout


def test_a_unit_alone_in_its_silence_is_tried_every_twenty_time_outs_and_every_five_seconds_at_the_most() -> None:
    for timeout, period in ((1.0, 20.0), (0.05, 5.0)):
        silences = Silences()
        assert silences.next_try(1, timeout, [1.0], 10.0) is None
        wait = silences.next_try(1, timeout, [1.0], 11.0)
        assert wait == 5.0
        assert silences.next_try(1, timeout, [1.0], 16.0) == period


def test_a_unit_that_is_back_gives_all_others_of_the_row_a_try() -> None:
    silences = Silences()
    for unit in (1, 2):
        for _ in range(2):
            silences.next_try(unit, 1.0, [1.0], 10.0)
    assert not silences.unit_answered(3)
    assert silences.unit_answered(1)
    assert not silences.unit_answered(1), "once"
    assert silences.next_try(2, 1.0, [1.0], 12.0) == 5.0


def test_a_silence_is_the_line_s_if_nobody_answered_since_it_was_connected() -> None:
    silences = Silences()
    silences.connected(20.0)
    assert [silences.next_try(1, 1.0, [19.0], 25.0) for _ in range(5)] == [None] * 5


def test_a_connection_that_was_made_anew_for_one_unit_s_silence_is_the_same_one() -> None:
    silences = Silences()
    silences.connected(10.0)
    assert silences.next_try(1, 1.0, [12.0], 15.0) is None
    silences.connected(15.0, was_reset_for_one=True)
    assert silences.next_try(1, 1.0, [12.0], 18.0) == 5.0
    silences.connected(18.0)
    assert silences.next_try(1, 1.0, [12.0], 25.0) is None


def in_a_row(*events: str) -> bool:
    silences = Silences()
    for event in events:
        match event:
            case "silence":
                silences.fell()
            case "answer":
                silences.line_answered()
            case "connection":
                silences.connected(1.0)
    return silences.are_the_line_s


def test_two_silences_with_no_answer_between_them_are_the_line_s() -> None:
    assert in_a_row("silence", "silence")
    assert not in_a_row("silence", "answer", "silence")
    assert not in_a_row("silence", "silence", "connection", "silence")


def test_units_have_more_time_while_a_gateway_may_still_wait_for_another() -> None:
    silences = Silences()
    assert silences.within(1, 0.5) == 0.5
    silences.gave_up(2)
    assert silences.within(1, 0.5) == 2.0
    assert silences.within(2, 0.5) == 0.5, "its own time is what it has"
    silences.unit_answered(1)
    assert silences.within(1, 0.5) == 0.5
