"""Writes the plots of the documentation into a folder: ``python -m simulators.process.plots docs/plots``."""

import sys
from collections.abc import Sequence
from pathlib import Path

from simulators.process.plots.figures import FIGURES


def write(folder: Path) -> list[Path]:
    """The files written, one a figure; the folder is made if it is not there."""
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for name, figure in FIGURES.items():
        file = folder / f"{name}.svg"
        file.write_text(figure().svg(), encoding="utf-8")
        files.append(file)
    return files


def main(arguments: Sequence[str]) -> None:
    if len(arguments) != 1:
        sys.exit("give one folder to write the plots into: python -m simulators.process.plots docs/plots")
    write(Path(arguments[0]))


if __name__ == "__main__":
    main(sys.argv[1:])
