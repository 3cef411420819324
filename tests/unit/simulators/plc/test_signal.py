import pytest

from plant import reference_site
from simulators.plc import Direction, OnDelay, reference_signals, signal_of, when

SITE = reference_site()


@pytest.mark.parametrize(
    ("name", "direction"),
    [
        ("PRP.LCH101.TIC101", Direction.INPUT),
        ("PRP.LCH101.TIC101.SP", Direction.MEMORY),
        ("PRP.LCH101.TIC101.OP", Direction.OUTPUT),
        ("PRP.LCH101.TIC101.MODE", Direction.MEMORY),
        ("PRP.LCH101.XV101", Direction.OUTPUT),
        ("PRP.LCH101.ZSO101", Direction.INPUT),
        ("PRP.LCH101.KY101", Direction.MEMORY),
        ("SEP.COL101.ZC101", Direction.OUTPUT),
    ],
)
def test_a_tag_is_a_terminal_or_memory(name: str, direction: Direction) -> None:
    assert signal_of(SITE.by_name[name]).direction is direction


def test_every_numeric_tag_is_a_signal_that_starts_at_rest() -> None:
    signals = reference_signals(SITE)
    for tag in SITE.tags:
        assert (tag.name in signals) is not tag.data_type.is_text
    assert signals["PRP.LCH101.TIC101.SP"].initial == 20.0
    assert signals["PRP.LCH101.XV101"].safe == 0.0
    assert signals["UTL.ARG101.XV101"].direction is Direction.OUTPUT


def test_a_text_is_no_signal() -> None:
    with pytest.raises(ValueError, match=r"PRP\.LCH101\.UY101 is a text"):
        signal_of(SITE.by_name["PRP.LCH101.UY101"])


def test_an_on_delay_counts_from_the_scan_that_first_sees_its_input() -> None:
    timer = OnDelay(0.3)
    assert [timer.step(0.1, True) for _ in range(5)] == [False, False, False, True, True]
    assert not timer.step(0.1, False)
    assert [timer.step(0.1, True) for _ in range(4)] == [False, False, False, True]
    assert OnDelay(0.0).step(0.1, True)


@pytest.mark.parametrize(
    ("text", "can_change"),
    [
        ("T.U.A > 0", True),
        ("T.U.A > 10", False),
        ("T.U.A >= 0", False),
        ("T.U.A < 0", False),
        ("T.U.A <= 10", False),
        ("T.U.A = 5", True),
        ("T.U.A <> 11", False),
    ],
)
def test_a_condition_that_can_never_change_is_known(text: str, can_change: bool) -> None:
    assert when(text)[0].can_change(0.0, 10.0) is can_change
