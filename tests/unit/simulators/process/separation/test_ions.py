"""Solutions in REE equivalents."""

import numpy as np
import pytest

from simulators.process.separation import MOLAR_MASS, OXIDE_MASS, SEPARATION_FACTORS, Chemistry, Ion, Solution, copper, leachate, ligand, water


@pytest.mark.parametrize(("first", "second", "alpha"), [(Ion.ND, Ion.PR, 1.62), (Ion.DY, Ion.TB, 2.34), (Ion.TB, Ion.ND, 20.9), (Ion.TB, Ion.SM, 6.2)])
def test_separation_factors_are_the_differences_of_the_stabilities(first: Ion, second: Ion, alpha: float) -> None:
    assert SEPARATION_FACTORS[Chemistry.LIGAND, first] / SEPARATION_FACTORS[Chemistry.LIGAND, second] == pytest.approx(alpha, rel=0.01)


def test_oxides_are_weighed_as_their_formulas() -> None:
    assert OXIDE_MASS[Ion.ND] * 2.0 == pytest.approx(336.48, abs=0.01)
    assert OXIDE_MASS[Ion.PR] * 6.0 == pytest.approx(1021.44, abs=0.01)
    assert OXIDE_MASS[Ion.TB] * 4.0 == pytest.approx(747.69, abs=0.02)
    assert OXIDE_MASS[Ion.CU] == OXIDE_MASS[Ion.DISPLACER] == 0.0


def test_one_and_a_half_copper_ions_take_the_place_of_one_rare_earth() -> None:
    assert copper(0.36).concentration[Ion.CU] == pytest.approx(0.24)
    assert ligand(0.09).concentration.sum() == pytest.approx(0.09)
    assert not water().concentration.any()


def test_a_leachate_has_its_shares() -> None:
    concentration = leachate(0.10, {Ion.ND: 3.0, Ion.PR: 1.0}).concentration
    assert concentration[Ion.ND] == pytest.approx(0.075)
    assert concentration.sum() == pytest.approx(0.10)
    assert (concentration * MOLAR_MASS).sum() == pytest.approx(14.3, abs=0.1), "g/L"


def test_a_solution_is_read_only_and_its_own() -> None:
    given = np.zeros(len(Ion))
    solution = Solution(Chemistry.FREE, given)
    given[0] = 1.0
    assert not solution.concentration.any()
    with pytest.raises(ValueError, match="read-only"):
        solution.concentration[0] = 1.0


def test_nonsense_is_refused() -> None:
    with pytest.raises(ValueError, match=r"concentration has shape \(3,\); give one number per ion"):
        Solution(Chemistry.FREE, np.zeros(3))
    with pytest.raises(ValueError, match=r"Solution: concentration of ND is -0\.1 mol/L; give 0 to 2 mol/L"):
        leachate(-0.1, {Ion.ND: 1.0})
    with pytest.raises(ValueError, match=r"Solution: concentration of CU is nan mol/L"):
        copper(float("nan"))
    with pytest.raises(ValueError, match=r"leachate: share of PR is -1; give 0 to 1e\+09"):
        leachate(0.1, {Ion.ND: 2.0, Ion.PR: -1.0})
    with pytest.raises(ValueError, match="give at least one rare earth a share above 0"):
        leachate(0.1, {})
