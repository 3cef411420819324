from monazite.backoff import FORGIVEN_AFTER, Backoff


def test_doubles_up_to_the_longest() -> None:
    backoff = Backoff()
    assert [backoff.after(0.0) for _ in range(8)] == [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10.0, 10.0]


def test_a_long_life_is_forgiven() -> None:
    backoff = Backoff()
    for _ in range(1000):
        backoff.after(1.0)
    assert backoff.after(FORGIVEN_AFTER) == 0.2
    assert backoff.after(FORGIVEN_AFTER - 0.1) == 0.4
