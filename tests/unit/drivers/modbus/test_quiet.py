"""When a Modbus line may be sent on, and when what is heard on it leaves no room for anybody."""

from drivers.modbus.quiet import PATIENCE, Quiet


def test_a_rest_is_never_cut_short_by_a_shorter_one() -> None:
    quiet = Quiet()
    quiet.keep_until(8.0)
    quiet.keep_until(1.0)
    assert quiet.until == 8.0


def noise(quiet: Quiet, times: list[float], left_alone: float) -> list[bool]:
    """Bytes at these times, each of which has the line left alone anew."""
    begins = []
    for time in times:
        begins.append(quiet.heard_noise(time))
        quiet.keep_until(time + left_alone)
    return begins


def test_a_noise_that_leaves_no_room_for_a_request_is_one_however_far_apart_its_bytes_are() -> None:
    for left_alone in (0.01, 1.0, 10.0):
        quiet = Quiet()
        step = 0.9 * left_alone
        times = [step * count for count in range(round(1.2 * PATIENCE / step) + 1)]
        assert noise(quiet, times, left_alone) == [True, *[False] * (len(times) - 1)]
        assert quiet.is_hopeless


def test_bytes_between_which_there_was_room_are_no_lasting_noise() -> None:
    quiet = Quiet()
    assert all(noise(quiet, [0.0, 2.0, 4.0, 6.0, 8.0], 1.0))
    assert not quiet.is_hopeless


def test_one_late_answer_is_no_noise_that_lasts_though_the_line_is_left_alone_for_longer_than_that() -> None:
    quiet = Quiet()
    noise(quiet, [100.0], 2 * PATIENCE)
    assert not quiet.is_hopeless


def test_a_noise_is_over_when_something_could_be_sent() -> None:
    quiet = Quiet()
    noise(quiet, [0.0, 0.5, PATIENCE + 0.5], PATIENCE + 0.1)
    assert quiet.is_hopeless
    quiet.sent()
    assert not quiet.is_hopeless
