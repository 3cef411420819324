"""Writes .env with a random password for each part of docker-compose.yml, once: a file that is there stays as it is."""

import os
import secrets
import sys
from pathlib import Path
from typing import Final

NAMES: Final = ("POSTGRES_PASSWORD", "READER_PASSWORD", "NATS_PASSWORD", "MONAZITE_ADMIN_PASSWORD", "GRAFANA_ADMIN_PASSWORD")


def write_secrets(file: Path) -> bool:
    """Whether ``file`` was written; only its owner may read it."""
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return False
    with os.fdopen(descriptor, "w") as output:  # hexadecimal: NATS reads a value from its environment as configuration, where a '-' begins a number
        output.writelines(f"{name}={secrets.token_hex(24)}\n" for name in NAMES)
    return True


if __name__ == "__main__":
    written = write_secrets(Path(".env"))
    sys.stdout.write("wrote .env\n" if written else ".env is there already: nothing was changed\n")
