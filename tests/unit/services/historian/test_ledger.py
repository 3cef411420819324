from plant.envelope import Envelope
from plant.ledger import Gap, GapCause, Position
from services.historian.ledger import PositionLedger
from tests.samples import batch_of

DEVICE = "PLC-SEP-01"


def envelope(sequence: int, epoch: int = 1) -> Envelope:
    return Envelope(DEVICE, epoch, sequence, received=0)


def test_batches_in_sequence_open_no_gap() -> None:
    ledger = PositionLedger({})
    for sequence in range(5):
        assert ledger.note(envelope(sequence), batch_of([(1, 100 * sequence, 1.0, 0)])) == []
    assert ledger.positions({DEVICE, "other"}) == [Position(DEVICE, 1, 4, 400)]


def test_a_hole_is_a_gap_and_recovered_when_it_is_filled() -> None:
    ledger = PositionLedger({DEVICE: Position(DEVICE, 1, 4, 400)})
    gap = Gap(DEVICE, 400, 700, GapCause.BATCH_LOST)
    assert ledger.note(envelope(7), batch_of([(1, 700, 1.0, 0)])) == [gap]
    assert ledger.note(envelope(5), batch_of([(1, 500, 1.0, 0)])) == []
    assert ledger.note(envelope(6), batch_of([(1, 600, 1.0, 0)])) == [Gap(DEVICE, 400, 700, GapCause.BATCH_LOST, recovered=True)]
    assert ledger.positions({DEVICE}) == [Position(DEVICE, 1, 7, 700)]


def test_a_batch_seen_before_moves_nothing() -> None:
    ledger = PositionLedger({DEVICE: Position(DEVICE, 1, 4, 400)})
    assert ledger.note(envelope(3), batch_of([(1, 300, 1.0, 0)])) == []
    assert ledger.note(envelope(9, epoch=0), batch_of([(1, 900, 1.0, 0)])) == []
    assert ledger.positions({DEVICE}) == [Position(DEVICE, 1, 4, 400)]


def test_another_epoch_is_a_gap_of_the_gateway() -> None:
    ledger = PositionLedger({DEVICE: Position(DEVICE, 1, 4, 400)})
    assert ledger.note(envelope(0, epoch=2), batch_of([(1, 100, 1.0, 0), (2, 900, 1.0, 0)])) == [Gap(DEVICE, 400, 900, GapCause.GATEWAY_STOPPED)]
    assert ledger.note(envelope(1, epoch=2), batch_of([(1, 950, 1.0, 0)])) == []


def test_the_first_epoch_opens_no_gap() -> None:
    assert PositionLedger({}).note(envelope(12), batch_of([(1, 100, 1.0, 0)])) == []


def test_a_loss_is_told_even_if_the_clock_of_the_device_was_set_back() -> None:
    ledger = PositionLedger({DEVICE: Position(DEVICE, 1, 4, 400)})
    assert ledger.note(envelope(0, epoch=2), batch_of([(1, 150, 1.0, 0)])) == [Gap(DEVICE, 150, 400, GapCause.GATEWAY_STOPPED)]


def test_no_gap_lies_between_a_sample_and_itself() -> None:
    ledger = PositionLedger({DEVICE: Position(DEVICE, 1, 4, 400)})
    assert ledger.note(envelope(0, epoch=2), batch_of([(1, 400, 1.0, 0)])) == []
