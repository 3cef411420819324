"""How many requests may be under way at once on a line."""

from drivers.modbus.window import NARROW_AT_MOST, NARROW_FOR, Window


def test_a_window_that_failed_is_one_request_and_is_tried_again_after_an_hour_then_two_and_at_the_most_a_day() -> None:
    window, now, waits = Window(4), 0.0, list[float]()
    assert not window.is_narrowed
    for _ in range(8):
        assert window.narrow(now)
        assert (window.width, window.is_narrowed) == (1, True)
        assert not window.narrow(now + 1.0), "it is as narrow as can be"
        wait = NARROW_FOR * 2 ** len(waits)
        wait = min(wait, NARROW_AT_MOST)
        assert not window.widen(now + wait - 1.0)
        assert window.widen(now + wait)
        assert (window.width, window.is_narrowed) == (4, False)
        assert not window.widen(now + wait)
        waits.append(wait)
        now += wait
    assert (waits[0], waits[1], waits[-1]) == (3600.0, 7200.0, 86_400.0)


def test_what_was_read_is_doubtful_after_each_answer_that_stays_out_while_several_requests_are_under_way() -> None:
    window = Window(4)
    window.tear()
    window.tear()
    window.narrow(0.0)
    assert window.tears == 3, "a window that fails is torn"
    window.tear()
    assert window.tears == 3, "one request at a time lends its answer no bytes of another"


def test_one_request_at_a_time_is_never_torn_and_never_narrowed() -> None:
    window = Window(1)
    window.tear()
    assert not window.narrow(0.0)
    assert (window.tears, window.is_narrowed, window.width) == (0, False, 1)
