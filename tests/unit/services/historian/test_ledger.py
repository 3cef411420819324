from plant.envelope import Envelope
from plant.ledger import Gap, GapCause, Position
from services.historian.ledger import PositionLedger, refused
from tests.samples import batch_of

DEVICE = "PLC-SEP-01"


def envelope(sequence: int, epoch: int = 1, received: int = 0) -> Envelope:
    return Envelope(DEVICE, epoch, sequence, received)


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


def test_what_comes_again_or_late_has_been_passed() -> None:
    ledger = PositionLedger({DEVICE: Position(DEVICE, 1, 4, 400)})
    passed = {(sequence, epoch): ledger.has_passed(envelope(sequence, epoch)) for sequence, epoch in ((4, 1), (3, 1), (5, 1), (9, 0), (0, 2))}
    assert passed == {(4, 1): True, (3, 1): True, (5, 1): False, (9, 0): True, (0, 2): False}
    assert not PositionLedger({}).has_passed(envelope(0)), "nothing of the device is stored"


def test_another_epoch_is_a_gap_of_the_gateway() -> None:
    ledger = PositionLedger({DEVICE: Position(DEVICE, 1, 4, 400)})
    assert ledger.note(envelope(0, epoch=2), batch_of([(1, 100, 1.0, 0), (2, 900, 1.0, 0)])) == [Gap(DEVICE, 400, 900, GapCause.GATEWAY_STOPPED)]
    assert ledger.note(envelope(1, epoch=2), batch_of([(1, 950, 1.0, 0)])) == []


def test_the_first_epoch_opens_no_gap() -> None:
    assert PositionLedger({}).note(envelope(12), batch_of([(1, 100, 1.0, 0)])) == []


def test_what_the_batch_behind_a_gap_goes_on_to_say_is_known() -> None:
    ledger = PositionLedger({DEVICE: Position(DEVICE, 1, 4, 400)})
    batch = batch_of([(2, 100, 1.0, 0), (1, 700, 1.0, 0), (1, 750, 1.0, 0), (1, 800, 1.0, 0)])
    assert ledger.note(envelope(0, epoch=2), batch) == [Gap(DEVICE, 400, 700, GapCause.GATEWAY_STOPPED)]
    assert ledger.note(envelope(3, epoch=2), batch_of([(1, 900, 1.0, 0), (1, 950, 1.0, 0)])) == [Gap(DEVICE, 800, 900, GapCause.BATCH_LOST)]


def test_a_run_that_begins_with_old_values_is_taken_up_at_the_first_new_one() -> None:
    ledger = PositionLedger({DEVICE: Position(DEVICE, 1, 4, 400)})
    assert ledger.note(envelope(0, epoch=2), batch_of([(1, 150, 1.0, 0)])) == []
    assert ledger.positions({DEVICE}) == [Position(DEVICE, 1, 4, 400)], "a historian that starts here again sees the new epoch again"
    assert ledger.note(envelope(1, epoch=2), batch_of([(2, 900, 1.0, 0)])) == [Gap(DEVICE, 400, 900, GapCause.GATEWAY_STOPPED)]


def test_a_loss_is_told_even_if_the_clock_of_the_device_was_set_back() -> None:
    ledger = PositionLedger({DEVICE: Position(DEVICE, 1, 4, 400)})
    assert ledger.note(envelope(0, epoch=2), batch_of([(1, 150, 1.0, 0)])) == []
    assert ledger.note(envelope(50, epoch=2, received=59_999_999), batch_of([(1, 160, 1.0, 0)])) == []
    assert ledger.note(envelope(60, epoch=2, received=60_000_000), batch_of([(1, 170, 1.0, 0)])) == [Gap(DEVICE, 170, 400, GapCause.GATEWAY_STOPPED)]
    assert ledger.note(envelope(61, epoch=2, received=60_000_001), batch_of([(1, 180, 1.0, 0)])) == []


def test_no_gap_lies_between_a_sample_and_itself() -> None:
    ledger = PositionLedger({DEVICE: Position(DEVICE, 1, 4, 400)})
    assert ledger.note(envelope(0, epoch=2), batch_of([(1, 400, 1.0, 0)])) == []


def test_a_refused_batch_is_a_gap_from_its_oldest_sample_to_a_scan_behind_its_newest() -> None:
    batch = batch_of([(1, 700, 1.0, 0), (2, 500, 1.0, 0), (1, 900, 1.0, 0)])
    assert refused(envelope(7, received=10**6), batch, 100) == Gap(DEVICE, 499, 1_000, GapCause.STORE_REFUSED)


def test_a_refused_batch_whose_times_are_at_random_is_missing_where_it_came() -> None:
    batch = batch_of([(1, 5, 1.0, 0), (1, 10**15, 1.0, 0)])
    assert refused(envelope(7, received=10**9), batch, 100) == Gap(DEVICE, 10**9 - 1, 10**9 + 100, GapCause.STORE_REFUSED)
