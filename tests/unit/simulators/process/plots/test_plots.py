"""The plots that the documentation shows are those that the command makes."""

import re
from pathlib import Path

import pytest

from simulators.process.plots import FIGURES
from simulators.process.plots.__main__ import main

COMMITTED = Path(__file__).parents[5] / "docs" / "plots"
_NUMBER = re.compile(r"-?\d+\.?\d*")
PIXEL = 0.2
"""What another machine's last digits may move."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("plots") / "new"
    main([str(folder)])
    return folder


def test_the_command_makes_all_that_is_committed_and_no_more(made: Path) -> None:
    assert {file.name for file in made.iterdir()} == {file.name for file in COMMITTED.iterdir()} == {f"{name}.svg" for name in FIGURES}


@pytest.mark.parametrize("name", FIGURES)
def test_a_committed_plot_is_what_the_command_makes(made: Path, name: str) -> None:
    new, old = ((folder / f"{name}.svg").read_text(encoding="utf-8") for folder in (made, COMMITTED))
    mend = "run python -m simulators.process.plots docs/plots, and look at what changed"
    assert _NUMBER.sub("", new) == _NUMBER.sub("", old), mend
    assert [float(one) for one in _NUMBER.findall(new)] == pytest.approx([float(one) for one in _NUMBER.findall(old)], abs=PIXEL), mend


def test_no_folder_is_asked_for() -> None:
    with pytest.raises(SystemExit, match="give one folder to write the plots into"):
        main([])
