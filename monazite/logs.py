"""Plain log lines on standard error: UTC time, level, logger, message."""

import logging
import sys
import time
from collections.abc import Mapping
from typing import Final

_LEVELS_OF_LIBRARIES: Final[Mapping[str, int]] = {
    "asyncio": logging.WARNING,
    "asyncua": logging.WARNING,
    "nats": logging.WARNING,
    "numexpr": logging.WARNING,
    "pymodbus": logging.WARNING,
    "uvicorn": logging.WARNING,
    "uvicorn.access": logging.WARNING,
}
"""What libraries say below these levels describes every request and would drown what is ours."""


def configure_logging(level: str) -> None:
    """``level`` is a name of the logging module."""
    formatter = logging.Formatter("%(asctime)s.%(msecs)03dZ %(levelname)-7s %(name)s: %(message)s", datefmt="%Y-%m-%dT%H:%M:%S")
    formatter.converter = time.gmtime
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for name, least in _LEVELS_OF_LIBRARIES.items():
        logging.getLogger(name).setLevel(least)
