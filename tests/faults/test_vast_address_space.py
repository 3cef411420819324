"""``monazite browse`` of a server with very many variables that answers in small parts, in calls of few nodes, with few places for parts.

``MONAZITE_FULL_FAULTS=1`` has 100 000 variables, else 2 000.
"""

import asyncio
import csv
import sys
import time
from pathlib import Path
from typing import Any, Final

import pytest
from asyncua import ua

from plant.site_loader import load_site
from tests.faults.figures import report, scaled
from tests.opcua_server import plc_server
from tests.portioned_browse import PortionedBrowse, answer_in_portions
from tests.vast_address_space import VastSpace

_BROWSE: Final = """
import sys
from pathlib import Path
from monazite.cli import main
sys.argv[0] = "monazite"
try:
    main()
finally:
    Path("status").write_text(Path("/proc/self/status").read_text())
"""
_MOST_NODES, _MOST_READS, _REFERENCES, _PLACES = 50, 400, 100, 5
_RESIDENT: Final = 150 << 20
"""Bytes of the program with nothing browsed, and some to spare; ``_A_VARIABLE`` more for each."""
_A_VARIABLE: Final = 3500
_SECONDS: Final = 60.0
_A_SECOND: Final = 200
"""Variables a second at least, on a busy machine, server and browser together."""


@pytest.mark.timeout(900)
async def test_a_server_of_very_many_variables_is_browsed_whole_in_bounded_memory_and_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    count = scaled(100_000, 2_000)
    async with plc_server() as plc:
        limits = ua.ObjectIds
        await plc.limit(limits.Server_ServerCapabilities_OperationLimits_MaxNodesPerBrowse, _MOST_NODES)
        await plc.limit(limits.Server_ServerCapabilities_OperationLimits_MaxNodesPerRead, _MOST_READS)
        attributes: Any = plc.inside.attribute_service
        space = VastSpace(count, plc.inside.view_service.browse, attributes.read)
        monkeypatch.setattr(attributes, "read", space.read)
        portions = PortionedBrowse(space.browse, references=_REFERENCES, places=_PLACES, most=_MOST_NODES)
        answer_in_portions(monkeypatch, plc.inside, portions)
        began = time.monotonic()
        options = ("--security-policy", "None", "--include", "Vast/**", "--out", "site")
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", _BROWSE, "browse", plc.url, *options, cwd=tmp_path, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        async with asyncio.timeout(_SECONDS + count / _A_SECOND):
            out, error = await process.communicate()
        took = time.monotonic() - began
    assert process.returncode == 0, error.decode()
    # Not getrusage: what a process was before it became this program counts there too. Source: proc(5), VmHWM in kB.
    resident = int((tmp_path / "status").read_text().partition("VmHWM:")[2].split()[0]) * 1024
    report(f"{count} variables in {took:.1f} s and {resident / 2**20:.0f} MB; calls: {len(portions.browses)} and {len(portions.rests)} for the rest")
    assert out.decode().startswith(f"{count} tags in site, 0 variables in ")
    tags = load_site(tmp_path / "site").tags
    assert len({tag.source for tag in tags}) == count
    assert sum(tag.eu_range is not None for tag in tags) == count // 10
    with (tmp_path / "site" / "skipped.csv").open() as file:
        assert list(csv.DictReader(file)) == []
    assert max(*portions.browses, *portions.rests) <= _MOST_NODES
    assert portions.without_place > 0
    assert portions.taken == 0
    assert space.most_read <= _MOST_READS
    assert resident < _RESIDENT + count * _A_VARIABLE
