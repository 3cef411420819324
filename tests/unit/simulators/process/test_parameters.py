"""Every parameter of a process model says its unit and where it is from, or that it is assumed, in a docstring of its own or of its class."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[4] / "simulators" / "process"
CLASSES = [
    pytest.param(node, id=node.name)
    for folder in ("control", "thermal", "magnet")
    for path in sorted((PACKAGE / folder).glob("*.py"))
    for node in ast.parse(path.read_text()).body
    if isinstance(node, ast.ClassDef) and any("frozen=True" in ast.unparse(one) for one in node.decorator_list)
]


def test_there_are_parameters() -> None:
    assert len(CLASSES) >= 15


@pytest.mark.parametrize("node", CLASSES)
def test_every_field_is_described(node: ast.ClassDef) -> None:
    assert ast.get_docstring(node)
    for statement, after in zip(node.body, [*node.body[1:], ast.Pass()], strict=True):
        if isinstance(statement, ast.AnnAssign):
            assert isinstance(after, ast.Expr), f"{node.name}.{ast.unparse(statement.target)} has no docstring"
            assert isinstance(after.value, ast.Constant), f"{node.name}.{ast.unparse(statement.target)} has no docstring"
