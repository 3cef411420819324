"""``monazite browse``: the variables of an OPC UA server, as a table or as a site folder to review."""

import asyncio
import csv
import logging
import shutil
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, TextIO

from monazite.browsed_site import site_of
from plant import ConfigurationError, DeviceProtocolError, DeviceUnreachable, OpcuaDevice, Problem, load_site, write_site
from services.gateway.browse import Variable, browse

SKIPPED: Final = "skipped.csv"
_COLUMNS: Final = ("path", "node", "datatype", "eu", "lo", "hi", "writable", "description", "skipped")


def run(
    device: OpcuaDevice,
    pki_folder: Path,
    *,
    start: str | None,
    included: Sequence[str],
    excluded: Sequence[str],
    out: Path | None,
    first_id: int,
    writable: bool,
) -> str:
    """Browses and writes; what there is to say at the end. The folder appears whole, or not at all.

    Raises:
        ConfigurationError: the server cannot be browsed, or the folder not be written.
    """
    if out is not None and out.exists() and any(out.iterdir()):
        raise ConfigurationError([Problem(str(out), None, None, "is not empty", "name a new folder: a site that somebody has edited is not written over")])
    logging.getLogger("asyncua").setLevel(logging.WARNING)
    try:
        variables = asyncio.run(browse(device, pki_folder, start, included, excluded, _tell))
    except (DeviceUnreachable, DeviceProtocolError) as error:
        raise ConfigurationError([Problem(device.endpoint, None, None, str(error), "check the address, and that the server allows what was asked")]) from None
    refused = [variable for variable in variables if variable.is_branch]
    _tell_refused(refused)
    if out is None:
        _write_table(variables, sys.stdout)
        return ""
    skipped = [variable for variable in variables if variable.data_type is None]
    try:
        _write_folder(device, variables, skipped, out, first_id=first_id, writable=writable)
    except OSError as error:
        raise ConfigurationError([Problem(str(out), None, None, f"cannot be written: {error}", "name a folder that can be made")]) from None
    left_out = f"{len(skipped) - len(refused)} variables" + (f" and {len(refused)} branches" if refused else "")
    return f"{len(variables) - len(skipped)} tags in {out}, {left_out} in {out / SKIPPED} with the reason; review both, then: monazite check {out}"


def _write_folder(device: OpcuaDevice, variables: Sequence[Variable], skipped: Sequence[Variable], out: Path, *, first_id: int, writable: bool) -> None:
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent) as name:
        folder = Path(name) / "site"
        site = site_of(device, variables, first_id=first_id, writable=writable)
        write_site(site, folder)
        with (folder / SKIPPED).open("w", encoding="utf-8", newline="") as file:
            _write_table(skipped, file)
        has_tags = bool(site.tags)
        del site  # of a hundred thousand tags there is one in memory at a time
        if has_tags:
            load_site(folder)
        with suppress(FileNotFoundError):
            out.rmdir()
        shutil.move(folder, out)


def _write_table(variables: Sequence[Variable], file: TextIO) -> None:
    table = csv.writer(file, lineterminator="\n")
    table.writerow(_COLUMNS)
    for variable in variables:
        low, high = variable.eu_range or ("", "")
        where = ("/".join(variable.path), variable.node or "", variable.data_type or "", variable.engineering_unit, low, high)
        table.writerow((*where, int(variable.is_writable), variable.description, variable.reason))


def _tell_refused(branches: Sequence[Variable]) -> None:
    if branches:
        first = "/".join(branches[0].path)
        begin = "\n" if sys.stderr.isatty() else ""
        sys.stderr.write(f"{begin}{len(branches)} branches are not shown by the server or not whole, {first} for one: see the column skipped\n")


def _tell(seen: int, chosen: int) -> None:
    """On a terminal one line that is written over."""
    begin, end = ("\r", "") if sys.stderr.isatty() else ("", "\n")
    sys.stderr.write(f"{begin}{seen} nodes seen, {chosen} variables chosen{end}")
    sys.stderr.flush()
