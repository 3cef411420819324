from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from monazite.rotating_log import RotatingLog


@pytest.fixture
def log(tmp_path: Path) -> Iterator[RotatingLog]:
    with closing(RotatingLog(tmp_path / "gateway.log", limit=100, kept=2)) as log:
        yield log


def test_the_disk_holds_a_bounded_part_and_the_newest_is_in_it(tmp_path: Path, log: RotatingLog) -> None:
    for number in range(100):
        log.write(f"line {number:04}\n".encode())
    files = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    assert set(files) == {"gateway.log", "gateway.log.1", "gateway.log.2"}
    assert all(len(content) <= 100 for content in files.values())
    whole = files["gateway.log.2"] + files["gateway.log.1"] + files["gateway.log"]
    assert whole == b"".join(b"line %04d\n" % number for number in range(100 - len(whole) // 10, 100))


def test_appends_to_what_is_there(tmp_path: Path) -> None:
    for word in (b"one\n", b"two\n"):
        with closing(RotatingLog(tmp_path / "api.log")) as log:
            log.write(word)
    assert (tmp_path / "api.log").read_bytes() == b"one\ntwo\n"


def test_last_lines_survive_rotation_and_can_be_forgotten(log: RotatingLog) -> None:
    for number in range(30):
        log.write(f"line {number}\n".encode())
    assert log.last_lines(3) == ["line 27", "line 28", "line 29"]
    log.forget_lines()
    assert log.last_lines(3) == []
