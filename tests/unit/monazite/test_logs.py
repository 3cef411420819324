import subprocess
import sys

import pytest

_PROGRAM = """
import logging
from monazite.logs import configure_logging
configure_logging("DEBUG")
logging.getLogger("drivers.link").debug("ours")
for name in ("asyncua.client.ua_client", "pymodbus", "nats.aio.client"):
    logging.getLogger(name).info("a whole message, with the password in it")
    logging.getLogger(name).warning("a warning of %s", name)
"""


@pytest.fixture(scope="module")
def lines() -> list[str]:
    program = subprocess.run([sys.executable, "-c", _PROGRAM], capture_output=True, text=True, timeout=30, check=True)
    return program.stderr.splitlines()


def test_libraries_that_log_every_message_are_heard_from_warning_on(lines: list[str]) -> None:
    """asyncua formats each publish response at INFO, and requests with their secrets at DEBUG."""
    assert [line for line in lines if "password" in line] == []
    assert len([line for line in lines if "a warning of" in line]) == 3


def test_what_is_ours_is_heard_at_the_level_asked_for(lines: list[str]) -> None:
    assert [line.rsplit(": ", 1)[1] for line in lines if "drivers.link" in line] == ["ours"]
