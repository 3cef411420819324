"""What absorbance tells about purity, and what it does not."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from simulators.process.separation import OXIDE_MASS, VISIBLE, Detector, DetectorParameters, Ion, PurityMeter, Unmixing
from simulators.process.separation.ions import Array

SEEN = [int(ion) for ion in VISIBLE]
PLATEAU = np.zeros(len(Ion))
PLATEAU[Ion.ND], PLATEAU[Ion.PR] = 0.0895, 0.0005
TRUE_PURITY = float(PLATEAU[Ion.ND] * OXIDE_MASS[Ion.ND] / (PLATEAU * OXIDE_MASS).sum())


def detector(**changes: float) -> Detector:
    return Detector(np.random.default_rng(1), DetectorParameters(**changes), "AT101")


def purities(concentrations: Array) -> Array:
    """(n,) percent of Nd in (n, 5) concentrations."""
    oxides = concentrations * OXIDE_MASS[SEEN]
    share: Array = 100.0 * oxides[:, SEEN.index(Ion.ND)] / oxides.sum(axis=1)
    return share


def noisy_readings(parameters: DetectorParameters, noise_au: float, count: int = 8_000) -> Array:
    readings: Array = parameters.response @ PLATEAU[SEEN] + np.random.default_rng(1).normal(0.0, noise_au, (count, 5))
    return readings


@pytest.mark.parametrize(
    ("path_cm", "samples", "mean", "deviation", "mean_solved", "deviation_solved"),
    [(0.5, 1, 98.5, 1.2, 99.17, 0.35), (0.5, 40, 99.28, 0.20, 99.395, 0.058), (2.0, 40, 99.40, 0.05, 99.428, 0.014)],
)
def test_purity_by_absorbance_is_biased_and_uncertain(
    path_cm: float, samples: int, mean: float, deviation: float, mean_solved: float, deviation_solved: float
) -> None:
    """True 99.44 %. The clipped inverse and the least squares, of single samples and of means over 20 s, in two cells."""
    parameters = DetectorParameters(path_cm=path_cm, copper_path_cm=path_cm / 10.0)
    assert pytest.approx(0.9944, abs=1e-4) == TRUE_PURITY
    unmixing = Unmixing(parameters.response)
    readings = noisy_readings(parameters, parameters.noise_au / np.sqrt(samples))
    clipped, solved = purities(unmixing.clipped(readings)), purities(unmixing.solve(readings))
    assert clipped.mean() == pytest.approx(mean, abs=0.1 * deviation + 0.01)
    assert clipped.std() == pytest.approx(deviation, rel=0.07)
    assert solved.mean() == pytest.approx(mean_solved, abs=0.1 * deviation_solved)
    assert solved.std() == pytest.approx(deviation_solved, rel=0.07)


def test_a_common_drift_of_the_baseline_looks_like_an_impurity() -> None:
    response = DetectorParameters().response
    drifted = (response @ PLATEAU[SEEN] + 0.02)[None, :]
    assert purities(Unmixing(response).clipped(drifted))[0] == pytest.approx(83.0, abs=0.1)
    assert purities(Unmixing(response).solve(drifted))[0] == pytest.approx(84.1, abs=0.1)


def test_the_mean_of_the_meter_is_what_unmixes() -> None:
    one, meter = detector(), PurityMeter()
    indications = [meter.take(one.step(0.5, PLATEAU)) for _ in range(400)]
    assert not indications[38].oxide_g_per_l.any(), "39 samples are no mean of 40"
    indicated = np.array([100.0 * indication.purity[Ion.ND] for indication in indications[39:]])
    assert indicated.mean() == pytest.approx(99.39, abs=0.08)
    assert indications[-1].oxide_g_per_l[Ion.ND] == pytest.approx(0.0895 * OXIDE_MASS[Ion.ND], rel=0.01)
    assert not any(indication.is_faulty for indication in indications)


def test_absorbance_is_linear_in_concentration_and_path() -> None:
    assert detector(noise_au=0.0).step(0.5, PLATEAU)[0] == pytest.approx(7.0 * 0.0895 * 0.5)
    assert detector(noise_au=0.0, path_cm=1.0).step(0.5, PLATEAU)[0] == pytest.approx(7.0 * 0.0895)
    copper = np.zeros(len(Ion))
    copper[Ion.CU] = 0.06
    assert detector(noise_au=0.0).step(0.5, copper)[4] == pytest.approx(85.0 * 0.09 * 0.05), "0.06 equivalents are 0.09 mol"


def test_terbium_and_displacer_are_not_seen() -> None:
    hidden = np.zeros(len(Ion))
    hidden[Ion.TB], hidden[Ion.DISPLACER] = 0.09, 0.09
    assert not detector(noise_au=0.0).step(0.5, hidden).any()


def test_a_strong_solution_ends_the_scale_and_is_a_fault() -> None:
    copper = np.zeros(len(Ion))
    copper[Ion.CU] = 0.35 / 1.5
    reading = detector().step(0.5, copper)
    assert reading.max() == 3.0
    indication = PurityMeter(samples=1).take(reading)
    assert indication.is_faulty
    assert not indication.oxide_g_per_l.any()


def test_a_dead_lamp_is_a_fault() -> None:
    one = detector()
    one.is_lit = False
    reading = one.step(0.5, PLATEAU)
    assert (reading == 3.0).all()
    assert PurityMeter(samples=1).take(reading).is_faulty


def test_no_number_and_a_lost_baseline_are_faults() -> None:
    assert PurityMeter(samples=1).take(np.full(5, np.nan)).is_faulty
    assert PurityMeter(samples=1).take(np.array([0.3, 0.0, 0.0, -0.2, 0.0])).is_faulty


def test_drift_moves_all_wavelengths_and_a_new_zero_takes_it_back() -> None:
    one, meter = detector(), PurityMeter()
    one.drift_au_per_d = 0.02
    for _ in range(24 * 60):
        one.step(60.0, PLATEAU)
    assert one.baseline_au == pytest.approx(0.02)
    one.drift_au_per_d = 0.0
    drifted = [meter.take(one.step(0.5, PLATEAU)) for _ in range(40)][-1]
    assert drifted.purity[Ion.ND] < 0.9
    meter.forget()
    for _ in range(40):
        meter.take(one.step(0.5, np.zeros(len(Ion))))
    one.zero(meter.mean)
    meter.forget()
    zeroed = [meter.take(one.step(0.5, PLATEAU)) for _ in range(40)][-1]
    assert zeroed.purity[Ion.ND] > 0.99


def test_the_same_seed_is_the_same_noise() -> None:
    np.testing.assert_array_equal(detector().step(0.5, PLATEAU), detector().step(0.5, PLATEAU))


@settings(max_examples=30, deadline=None)
@given(arrays(np.float64, (3, 5), elements=st.floats(-1.0, 3.0)))
def test_no_other_concentrations_fit_better(readings: Array) -> None:
    """The conditions of Karush, Kuhn and Tucker: no ion above 0 wants to change, and none at 0 wants to rise."""
    response = DetectorParameters().response
    found = Unmixing(response).solve(readings)
    assert found.min() >= 0.0
    gradient = (readings - found @ response.T) @ response
    scale = 1e-9 * np.abs(response).max() ** 2 * (1.0 + np.abs(found).max())
    assert (gradient <= scale).all()
    assert (np.abs(gradient[found > 0.0]) <= scale).all()


def test_what_was_mixed_is_unmixed() -> None:
    response = DetectorParameters().response
    concentrations = np.random.default_rng(2).uniform(0.01, 0.1, (50, 5))
    np.testing.assert_allclose(Unmixing(response).solve(concentrations @ response.T), concentrations, rtol=1e-9)


def test_nonsense_is_refused() -> None:
    with pytest.raises(ValueError, match=r"AT101: dt is nan s; give 0 to 60 s"):
        detector().step(float("nan"), PLATEAU)
    with pytest.raises(ValueError, match=r"DetectorParameters: path_cm is -1 cm; give 0\.01 to 10 cm"):
        DetectorParameters(path_cm=-1.0)
    with pytest.raises(ValueError, match="does not tell 2 ions apart"):
        Unmixing(np.ones((5, 2)))
    with pytest.raises(ValueError, match="a mean of 0 samples; give 1 to 10000"):
        PurityMeter(samples=0)
