"""The tag whose month is measured."""

import os
from typing import Final

from plant import times
from plant.device import Encoding, ModbusAddress, ModbusDevice, ModbusTable, TcpLine
from plant.site import Site
from plant.tag import Tag
from services.store import HOUR
from tests.samples import make_tag

DAYS: Final = int(os.environ.get("MONAZITE_BENCH_DAYS", "30"))
"""Of the month; fewer for a quick look."""

START: Final = times.parse_time("2026-10-01T00:00:00Z", 0)
"""The month has 31 days, so that all of it is one file of SQLite."""

DAY: Final = 24 * HOUR
END: Final = START + DAYS * DAY
TAG: Final[Tag] = make_tag(1, device="MB-TST-01", source=ModbusAddress(ModbusTable.INPUT, 0, Encoding.FLOAT32, length=2))
SITE: Final = Site("Benchmark", {"MB-TST-01": ModbusDevice("MB-TST-01", "SEP", TcpLine("127.0.0.1", 1), 1)}, (TAG,))
