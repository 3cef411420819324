"""The checks themselves: what a tool is not told about, it passes over in silence."""

import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())


def packages_on_disk() -> set[str]:
    return {folder.parent.name for folder in ROOT.glob("*/__init__.py")}


def test_every_package_is_type_checked() -> None:
    assert set(PROJECT["tool"]["mypy"]["packages"]) == packages_on_disk()


def test_every_shipped_package_is_linted_and_built() -> None:
    shipped = packages_on_disk() - {"tests", "benchmarks"}
    assert set(PROJECT["tool"]["importlinter"]["root_packages"]) == shipped
    assert set(PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]) == shipped


def test_every_service_and_protocol_stands_in_the_layers() -> None:
    contracts = PROJECT["tool"]["importlinter"]["contracts"]
    layers = {name.strip() for contract in contracts if contract["type"] == "layers" for layer in contract["layers"] for name in layer.split("|")}
    services = {f"services.{init.parent.name}" for init in ROOT.glob("services/*/__init__.py")}
    assert services <= layers
    protocols = {f"drivers.{init.parent.name}" for init in ROOT.glob("drivers/*/__init__.py")}
    assert protocols == next(set(contract["modules"]) for contract in contracts if contract["type"] == "independence")


def test_only_the_gateway_may_import_drivers() -> None:
    rule = next(
        contract
        for contract in PROJECT["tool"]["importlinter"]["contracts"]
        if contract["forbidden_modules" if "forbidden_modules" in contract else "name"] == ["drivers"]
    )
    others = {f"services.{init.parent.name}" for init in ROOT.glob("services/*/__init__.py")} - {"services.gateway"}
    assert set(rule["source_modules"]) == {"monazite", *others}


def test_pinned_versions_carry_no_address() -> None:
    for line in (ROOT / "constraints.txt").read_text().splitlines():
        name, pin, version = line.partition("==")
        assert name, line
        assert pin, line
        assert version, line
        assert "/" not in line
        assert "@" not in line
