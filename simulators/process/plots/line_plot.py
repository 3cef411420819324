"""Curves over one axis as an SVG text. No more than the documentation needs: linear axes, one or two scales, shaded spans.

Rule: the same numbers give the same text. Coordinates are rounded to a tenth of a pixel, and a curve is drawn through ``_POINTS`` points at the most.
"""

from dataclasses import dataclass
from html import escape
from typing import Final

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

_WIDTH, _HEIGHT = 760, 380
_LEFT, _RIGHT, _TOP, _BOTTOM = 64.0, 696.0, 62.0, 330.0
_POINTS: Final = 400
_COLOURS: Final = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
"""Okabe and Ito's, which people with any colour vision tell apart."""


@dataclass(frozen=True, slots=True)
class Axis:
    """``ticks`` from the low end to the high end, both drawn; ``title`` with its unit."""

    title: str
    ticks: tuple[float, ...]

    def place(self, value: Array, start: float, end: float) -> Array:
        """Pixels between ``start`` (lowest tick) and ``end``; what is outside is drawn at the edge."""
        share: Array = np.clip((value - self.ticks[0]) / (self.ticks[-1] - self.ticks[0]), 0.0, 1.0)
        return start + share * (end - start)


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """``y`` (n,) over ``x`` (n,), rising; ``is_right`` reads it on the right axis, and dashes it."""

    label: str
    x: Array
    y: Array
    is_right: bool = False


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of the x axis, shaded and named."""

    label: str
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class LinePlot:
    title: str
    x: Axis
    left: Axis
    curves: tuple[Curve, ...]
    right: Axis | None = None
    spans: tuple[Span, ...] = ()

    def svg(self) -> str:
        """The whole file. Raises ValueError: a curve on a right axis that there is not."""
        parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" font-family="sans-serif" font-size="12">',
            f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#ffffff"/>',
            _text(_LEFT, 20.0, self.title, "start", ' font-size="14" font-weight="bold"'),
        ]
        for span in self.spans:
            start, end = self.x.place(np.array([span.start, span.end]), _LEFT, _RIGHT)
            parts.append(f'<rect x="{start:.1f}" y="{_TOP}" width="{end - start:.1f}" height="{_BOTTOM - _TOP}" fill="#f0f0e0"/>')
            parts.append(_text((start + end) / 2.0, (_TOP + _BOTTOM) / 2.0, span.label, "middle"))
        for tick in self.x.ticks:
            x = float(self.x.place(np.array([tick]), _LEFT, _RIGHT)[0])
            parts += [_line(x, _BOTTOM, x, _BOTTOM + 5.0), _text(x, _BOTTOM + 19.0, f"{tick:g}", "middle")]
        parts += self._scale(self.left, _LEFT, -1.0, "end") + ([] if self.right is None else self._scale(self.right, _RIGHT, 1.0, "start"))
        parts += [_line(_LEFT, _BOTTOM, _RIGHT, _BOTTOM), _text((_LEFT + _RIGHT) / 2.0, _BOTTOM + 40.0, self.x.title, "middle")]
        for number, curve in enumerate(self.curves):
            parts += self._curve(curve, _COLOURS[number % len(_COLOURS)], _LEFT + number * (_RIGHT - _LEFT) / len(self.curves))
        return "\n".join([*parts, "</svg>\n"])

    def _scale(self, axis: Axis, x: float, outwards: float, anchor: str) -> list[str]:
        parts = [_line(x, _TOP, x, _BOTTOM), _text(x, _TOP - 8.0, axis.title, "start" if outwards < 0.0 else "end")]
        for tick in axis.ticks:
            y = float(axis.place(np.array([tick]), _BOTTOM, _TOP)[0])
            parts += [_line(x, y, x + 5.0 * outwards, y), _text(x + 8.0 * outwards, y + 4.0, f"{tick:g}", anchor)]
        return parts

    def _curve(self, curve: Curve, colour: str, legend: float) -> list[str]:
        axis = self.right if curve.is_right else self.left
        if axis is None:
            raise ValueError(f"plot {self.title}: curve {curve.label} is on a right axis; give the plot one")
        chosen = np.unique(np.linspace(0, len(curve.x) - 1, min(len(curve.x), _POINTS)).round().astype(np.intp))
        xs, ys = self.x.place(curve.x[chosen], _LEFT, _RIGHT), axis.place(curve.y[chosen], _BOTTOM, _TOP)
        points = " ".join(f"{x:.1f},{y:.1f}" for x, y in zip(xs, ys, strict=True))
        stroke = f'fill="none" stroke="{colour}" stroke-width="2"' + (' stroke-dasharray="6 3"' if curve.is_right else "")
        key = f'<path d="M{legend:.1f} 36h18" {stroke}/>'
        return [f'<polyline points="{points}" {stroke}/>', key, _text(legend + 24.0, 40.0, curve.label, "start")]


def _line(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<path d="M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}" stroke="#606060"/>'


def _text(x: float, y: float, text: str, anchor: str, more: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{more}>{escape(text)}</text>'
