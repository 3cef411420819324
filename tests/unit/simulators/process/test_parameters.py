"""Every parameter of a process model says its range and unit in its type, its unit in its name, and what it is, and where from, in a docstring."""

import ast
import dataclasses
import inspect
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any, get_args, get_origin, get_type_hints

import pytest

from simulators.process import control, magnet, separation, thermal
from simulators.process.bounds import Within

NOT_PARAMETERS = {
    "Chromatogram",
    "CutState",
    "Effluent",
    "Indication",
    "MagneticProperties",
    "Pool",
    "PumpReading",
    "RunningPool",
    "SinterFurnaceInputs",
    "Solution",
}
"""Frozen too, but results, states and inputs."""
WITHOUT_UNIT = {"", "m3/m3", "kg/kg"}
SOURCE = re.compile(r"assumed|engineering value|process description|preprint|fitted|recipe has|Astrom|kinetics", re.IGNORECASE)
GIVEN: dict[str, Any] = {
    "Segment": control.Segment(100.0, 5.0, 0.0),
    "Tuning": control.Tuning(1.0),
    "Hydride": thermal.HARD_PHASE,
    "HydridePhase": magnet.GRAINS,
    "MagnetLot": magnet.MagnetLot(7.55, 6.0, 0.95, 1.02, 0.30, 1200.0),
    "Product": separation.Product(separation.Port.NEODYMIUM, separation.Ion.ND, 0.99, 0.985),
}
"""Of the classes whose fields have no defaults, which are given and have no source."""


def parameter_classes() -> Iterator[Any]:
    for package in (control, magnet, separation, thermal):
        for name in package.__all__:
            kind = getattr(package, name)
            if dataclasses.is_dataclass(kind) and isinstance(kind, type) and name not in NOT_PARAMETERS:
                yield pytest.param(kind, id=name)


CLASSES = list(parameter_classes())


def suffix(unit: str) -> str:
    """How a name ends whose number has ``unit``: ``J/(kg K)`` is ``_j_per_kg_k``."""
    words = unit.replace("%", " percent").replace("degC", "C").replace("/", " per ").replace("(", "").replace(")", "")
    return "_" + "_".join(word for word in words.lower().split() if word != "1")


def test_units_and_names() -> None:
    assert [suffix(unit) for unit in ("m", "J/(kg K)", "1/s", "wt%", "Pa m3/s", "degC")] == ["_m", "_j_per_kg_k", "_per_s", "_wt_percent", "_pa_m3_per_s", "_c"]


def test_there_are_parameters() -> None:
    assert len(CLASSES) >= 20


@pytest.mark.parametrize("kind", CLASSES)
def test_every_number_has_its_range_and_its_unit(kind: Any) -> None:
    for name, hint in get_type_hints(kind, include_extras=True).items():
        plain = get_args(hint)[0] if hasattr(hint, "__metadata__") else hint
        if plain in (float, int) or (float in get_args(plain) and get_origin(plain) is not Mapping):
            bounds = [part for part in getattr(hint, "__metadata__", ()) if isinstance(part, Within)]
            assert len(bounds) == 1, f"{kind.__name__}.{name} has no Within"
            unit = bounds[0].unit
            assert unit in WITHOUT_UNIT or f"_{name}".endswith(suffix(unit)), f"{kind.__name__}.{name} is in {unit}; its name has to end with {suffix(unit)}"


@pytest.mark.parametrize("kind", CLASSES)
def test_every_field_is_described(kind: Any) -> None:
    node = ast.parse(inspect.getsource(kind)).body[0]
    assert isinstance(node, ast.ClassDef)
    assert ast.get_docstring(node)
    for statement, after in zip(node.body, [*node.body[1:], ast.Pass()], strict=True):
        if isinstance(statement, ast.AnnAssign):
            assert isinstance(after, ast.Expr), f"{node.name}.{ast.unparse(statement.target)} has no docstring"
            assert isinstance(after.value, ast.Constant), f"{node.name}.{ast.unparse(statement.target)} has no docstring"


@pytest.mark.parametrize("kind", CLASSES)
def test_numbers_say_where_they_are_from(kind: Any) -> None:
    source = inspect.getsource(kind)
    assert kind.__name__ in GIVEN or SOURCE.search(source), f"{kind.__name__} does not say where its numbers are from, or that they are assumed"


@pytest.mark.parametrize("kind", CLASSES)
def test_a_value_out_of_its_range_is_refused(kind: Any) -> None:
    parameters: Any = GIVEN[kind.__name__] if kind.__name__ in GIVEN else kind()
    for name, hint in get_type_hints(kind, include_extras=True).items():
        if any(isinstance(part, Within) for part in getattr(hint, "__metadata__", ())):
            with pytest.raises(ValueError, match=rf"^{kind.__name__}: {name} is nan.*; give "):
                dataclasses.replace(parameters, **{name: math.nan})
