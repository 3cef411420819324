from plant import times
from plant.ledger import Position
from services.historian.store_outage import StoreOutage

T0 = times.parse_time("2026-11-23T04:00:00Z", 0)


def position(device: str, sequence: int, epoch: int = 1) -> Position:
    return Position(device, epoch, sequence, T0)


def test_what_was_due_is_reckoned_by_the_numbers_of_the_batches() -> None:
    outage = StoreOutage(T0, {"A": position("A", 10), "B": position("B", 5)}, missing=2)
    outage.committed(700, T0 + 30 * times.MICROSECONDS)
    outage.committed(300, T0 + 31 * times.MICROSECONDS)
    told = outage.told({"A": position("A", 14), "B": position("B", 5), "C": position("C", 2)}, missing=3)
    assert told == (
        "the store was away from 2026-11-23T04:00:00.000000Z to 2026-11-23T04:00:30.000000Z and has caught up: "
        "7 batches were due by their numbers, 6 are stored with 1000 samples, 1 lost"
    )


def test_of_a_gateway_that_began_anew_those_of_its_new_run_count() -> None:
    outage = StoreOutage(T0, {"A": position("A", 1000)}, missing=0)
    assert "4 batches were due by their numbers, 4 are stored" in outage.told({"A": position("A", 3, epoch=2)}, missing=0)
