import numpy as np

from plant import times
from plant.envelope import Envelope
from services.historian.ledger import PositionLedger
from tests.samples import batch_of

T0 = times.parse_time("2026-11-23T04:00:00Z", 0)


def note(ledger: PositionLedger, sequence: int) -> None:
    ledger.note(Envelope("PLC-1", 1, sequence, T0), batch_of([(1, T0 + sequence * times.MICROSECONDS, float(np.pi), 0)]))


def test_batches_that_are_missing_are_counted_however_many_and_those_that_come_after_all_are_not() -> None:
    ledger = PositionLedger({})
    note(ledger, 0)
    note(ledger, 4)
    assert ledger.missing == 3
    note(ledger, 2)
    note(ledger, 2)
    assert ledger.missing == 2
    note(ledger, 20_005)
    assert ledger.missing == 2 + 20_000
