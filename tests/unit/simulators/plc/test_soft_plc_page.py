"""The page of the soft PLC says what the code says."""

from pathlib import Path

from simulators.plc.interlocks.table import COLUMNS, RowKind
from simulators.plc.sequences import diagram

PAGE = (Path(__file__).parents[4] / "docs" / "soft-plc.md").read_text(encoding="utf-8")


def test_the_diagram_is_drawn_from_the_table_of_states() -> None:
    assert f"```mermaid\n{diagram()}\n```" in PAGE


def test_every_column_and_row_of_a_cause_and_effect_table_is_described() -> None:
    for name in (*COLUMNS, *RowKind):
        assert f"`{name}`" in PAGE, name
