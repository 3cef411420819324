"""Where a curve comes to stand."""

import numpy as np
import pytest

from simulators.process.plots import Axis, Curve, LinePlot, Span

X, LEFT = Axis("h", (0.0, 5.0, 10.0)), Axis("kN", (0.0, 100.0))


def drawn(*curves: Curve, right: Axis | None = None, spans: tuple[Span, ...] = ()) -> str:
    return LinePlot("Force & time", X, LEFT, curves, right, spans).svg()


def test_a_curve_goes_from_corner_to_corner() -> None:
    assert 'points="64.0,330.0 380.0,196.0 696.0,62.0"' in drawn(Curve("a", np.array([0.0, 5.0, 10.0]), np.array([0.0, 50.0, 100.0])))


def test_the_right_axis_has_its_own_scale() -> None:
    curve = Curve("a", np.array([0.0, 10.0]), np.array([0.0, 100.0]), is_right=True)
    assert 'points="64.0,330.0 696.0,196.0"' in drawn(curve, right=Axis("%", (0.0, 200.0)))
    with pytest.raises(ValueError, match="plot Force & time: curve a is on a right axis; give the plot one"):
        drawn(curve)


def test_what_is_outside_is_drawn_at_the_edge() -> None:
    assert 'points="64.0,330.0 696.0,62.0"' in drawn(Curve("a", np.array([-1.0, 11.0]), np.array([-5.0, 500.0])))


def test_a_long_curve_keeps_its_ends_and_few_points() -> None:
    text = drawn(Curve("a", np.linspace(0.0, 10.0, 5000), np.zeros(5000)))
    assert text.count(",330.0") == 400
    assert "64.0,330.0 " in text
    assert ' 696.0,330.0"' in text


def test_titles_are_escaped_and_spans_named() -> None:
    text = drawn(spans=(Span("a < b", 2.5, 5.0),))
    assert "Force &amp; time" in text
    assert "a &lt; b" in text
    assert '<rect x="222.0" y="62.0" width="158.0"' in text
