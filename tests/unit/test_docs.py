"""Code that the documentation shows is code that runs."""

import re
import textwrap
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from drivers import DriverMetricFamilies

ROOT = Path(__file__).parents[2]
PAGES = [*sorted((ROOT / "docs").rglob("*.md")), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
_EXCERPT = re.compile(r"^ *```python\n *# (?P<file>\S+\.py)\n(?P<code>.*?)^ *```", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\((?P<target>[^)#:]+)(#[^)]*)?\)")
_PATH = re.compile(r"`(?P<path>(?:benchmarks|deploy|docs|drivers|monazite|plant|services|simulators|tests)/[\w./-]+)`")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_an_excerpt_stands_in_the_file_that_it_names(page: Path) -> None:
    for found in _EXCERPT.finditer(page.read_text(encoding="utf-8")):
        source = (ROOT / found["file"]).read_text(encoding="utf-8")
        code = textwrap.dedent(found["code"]).rstrip()
        assert any(textwrap.indent(code, " " * depth) in source for depth in (0, 4)), f"{found['file']} does not hold:\n{code}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_file_that_a_page_names_is_there(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    targets = [page.parent / found["target"] for found in _LINK.finditer(text)]
    targets += [ROOT / found["path"] for found in _PATH.finditer(text)]
    assert [str(target) for target in targets if not target.exists()] == []


def test_there_are_excerpts_to_check() -> None:
    assert len(_EXCERPT.findall((ROOT / "docs" / "adding-a-protocol.md").read_text(encoding="utf-8"))) == 3


@pytest.mark.parametrize("name", ["drivers.md", "process-models.md"])
def test_a_page_names_tests_that_are_there(name: str) -> None:
    page = (ROOT / "docs" / name).read_text(encoding="utf-8")
    tests = {name for file in (ROOT / "tests").rglob("test_*.py") for name in re.findall(r"def (test_\w+)", file.read_text(encoding="utf-8"))}
    named = set(re.findall(r"`(test_\w+)`", page))
    assert named
    assert named - tests == set()


def test_the_page_of_the_drivers_names_metrics_that_are_there() -> None:
    page = (ROOT / "docs" / "drivers.md").read_text(encoding="utf-8")
    registry = CollectorRegistry()
    DriverMetricFamilies(registry)
    names = {name for family in registry.collect() for name in [f"{family.name}_total" if family.type == "counter" else family.name]}
    assert set(re.findall(r"`(monazite_driver_\w+)`", page)) == names
