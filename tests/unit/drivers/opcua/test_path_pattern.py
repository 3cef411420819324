"""Wildcards over paths."""

import pytest

from drivers.opcua.path_pattern import PathPatterns


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("Plant/Pump1/Speed", "Plant/Pump1/Speed", True),
        ("plant/PUMP1/speed", "Plant/Pump1/Speed", True),
        ("Plant/*/Speed", "Plant/Pump1/Speed", True),
        ("Plant/*/Speed", "Plant/Line/Pump1/Speed", False),
        ("Plant/**/Speed", "Plant/Line/Pump1/Speed", True),
        ("Plant/**/Speed", "Plant/Speed", True),
        ("Plant/**/Speed", "Plants/Speed", False),
        ("Plant/**", "Plant", True),
        ("Plant/**", "Plant/Line/Pump1", True),
        ("**/Speed", "Speed", True),
        ("**/Speed", "Plant/Pump1/Speed", True),
        ("**/Speed", "Plant/Pump1/MaxSpeed", False),
        ("Plant/Pump?/Speed", "Plant/Pump1/Speed", True),
        ("Plant/Pump?/Speed", "Plant/Pump12/Speed", False),
        ("Plant/Pump?/Speed", "Plant/Pump//Speed", False),
        ("*", "Plant/Pump1", False),
        ("**", "Plant/Pump1", True),
        ("Plant/Pump[1]", "Plant/Pump[1]", True),
        ("Plant/Pump[1]", "Plant/Pump1", False),
        ("P*.PT*", "P101.PT101", True),
        ("P*.PT*", "P101xPT101", False),
        ("Größe", "GRÖßE", True),
    ],
)
def test_what_a_pattern_matches(pattern: str, path: str, matches: bool) -> None:
    assert PathPatterns([pattern]).choose(path) is matches


def test_what_is_excluded_is_out_whoever_included_it() -> None:
    patterns = PathPatterns(["Plant/**", "Lab/*"], ["**/Spare*"])
    assert [patterns.choose(path) for path in ("Plant/P1", "Lab/P1", "Lab/P1/P2", "Plant/Spare3", "Plant/Line/SpareX")] == [True, True, False, False, False]
    assert PathPatterns([], ["Spare"]).choose("anything")
