"""The supervisor with real processes: small Python programs that behave well or badly."""

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from monazite.child import Launch
from monazite.supervisor import Ailment, Details, Keeper, ProcessSpec, StartFailed, State, Supervisor

WELL_BEHAVED = """
import os, pathlib, signal, socket, sys
name, folder, port = sys.argv[1], pathlib.Path(sys.argv[2]), int(sys.argv[3])
def leave(number, frame):
    with open(folder / "order", "a") as order:
        order.write(name + chr(10))
    os._exit(0)
signal.signal(signal.SIGTERM, leave)
server = socket.create_server(("127.0.0.1", port))
part = folder / (name + ".part")
part.write_text('{"pid": %d, "port": %d}' % (os.getpid(), server.getsockname()[1]))
part.rename(folder / (name + ".json"))
print(name, "listens", flush=True)
while True:
    signal.pause()
"""

DEAF = """
import os, pathlib, signal, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
name, folder = sys.argv[1], pathlib.Path(sys.argv[2])
part = folder / (name + ".part")
part.write_text('{"pid": %d, "port": 0}' % os.getpid())
part.rename(folder / (name + ".json"))
while True:
    signal.pause()
"""

DYING = "import sys; print('cannot open the valve', flush=True); sys.exit(3)"

AILING = """
import os, pathlib, sys, time
name, folder = sys.argv[1], pathlib.Path(sys.argv[2])
part = folder / (name + ".part")
part.write_text('{"pid": %d, "port": 0}' % os.getpid())
part.rename(folder / (name + ".json"))
while True:
    if (folder / ("ill-%d" % os.getpid())).exists():
        print("a valve is stuck", flush=True)
    time.sleep(0.1)
"""

NEVER_READY = "import signal; print('thinking', flush=True); signal.pause()"


def spec(folder: Path, name: str, program: str = WELL_BEHAVED, *, ready_deadline: float = 20.0, stop_deadline: float = 20.0) -> ProcessSpec:
    def launch(last: Details | None) -> Launch:
        port = 0 if last is None else last["port"]
        return Launch((sys.executable, "-c", program, name, str(folder), str(port)), dict(os.environ))

    async def ready(pid: int) -> Details:
        while True:
            details = read(folder / f"{name}.json")
            if details.get("pid") == pid:
                return details
            await asyncio.sleep(0.02)

    return ProcessSpec(name, launch, ready, ready_deadline, stop_deadline)


def read(file: Path) -> Mapping[str, object]:
    return json.loads(file.read_text()) if file.exists() else {}


@asynccontextmanager
async def supervised(folder: Path, *stages: list[ProcessSpec], registry: CollectorRegistry | None = None) -> AsyncIterator[Supervisor]:
    """Not started; whatever runs at the end is killed."""
    supervisor = Supervisor(stages, folder, registry or CollectorRegistry(), lambda name, details: None)
    try:
        yield supervisor
    finally:
        supervisor.hurry()
        await supervisor.stop()


async def until(condition: Callable[[], bool], deadline: float = 30.0) -> None:
    async with asyncio.timeout(deadline):
        while True:
            if condition():
                return
            await asyncio.sleep(0.02)


def pid_of(keeper: Keeper) -> int:
    assert keeper.pid is not None
    return keeper.pid


def is_alive(pid: int) -> bool:
    """False for a zombie too."""
    stat = Path(f"/proc/{pid}/stat")
    try:
        return stat.read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


async def test_starts_in_order_and_stops_in_reverse(tmp_path: Path) -> None:
    started: list[str] = []
    stages = [[spec(tmp_path, "one")], [spec(tmp_path, "two")], [spec(tmp_path, "three")]]
    supervisor = Supervisor(stages, tmp_path, CollectorRegistry(), lambda name, details: started.append(name))
    await supervisor.start()
    pids = [pid_of(keeper) for keeper in supervisor.keepers]
    await supervisor.stop()
    assert started == ["one", "two", "three"]
    assert (tmp_path / "order").read_text().split() == ["three", "two", "one"]
    assert [keeper.state for keeper in supervisor.keepers] == [State.STOPPED] * 3
    assert not any(map(is_alive, pids))


async def test_a_dead_process_is_started_again_on_the_port_it_had(tmp_path: Path) -> None:
    registry = CollectorRegistry()
    async with supervised(tmp_path, [spec(tmp_path, "one")], registry=registry) as supervisor:
        await supervisor.start()
        keeper = supervisor.keepers[0]
        first, port = pid_of(keeper), read(tmp_path / "one.json")["port"]
        os.kill(first, signal.SIGKILL)
        await until(lambda: keeper.restarts == 1 and keeper.state is State.UP)
        assert pid_of(keeper) != first
        assert read(tmp_path / "one.json")["port"] == port
        assert registry.get_sample_value("monazite_process_restarts_total", {"process": "one"}) == 1
        assert registry.get_sample_value("monazite_process_up", {"process": "one"}) == 1


async def test_a_process_that_dies_again_and_again_waits_longer_each_time(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with supervised(tmp_path, [spec(tmp_path, "one")]) as supervisor:
        await supervisor.start()
        keeper = supervisor.keepers[0]
        for number in range(1, 4):
            os.kill(pid_of(keeper), signal.SIGKILL)
            await until(lambda number=number: keeper.restarts == number and keeper.state is State.UP)  # type: ignore[misc]  # mypy cannot infer a lambda's default
    waits = [record.getMessage().rpartition(" in ")[2] for record in caplog.records if "started again" in record.getMessage()]
    assert waits == ["0.2 s", "0.4 s", "0.8 s"]


async def test_one_that_says_it_works_no_more_is_replaced_when_that_helps_and_it_still_says_so(tmp_path: Path) -> None:
    cure = tmp_path / "cure"
    ailment = Ailment("has a stuck valve", b"valve is stuck", cure.exists)
    async with supervised(tmp_path, [replace(spec(tmp_path, "one", AILING), ailment=ailment)]) as supervisor:
        await supervisor.start()
        keeper = supervisor.keepers[0]
        first = pid_of(keeper)
        ill = tmp_path / f"ill-{first}"
        ill.touch()
        await until(lambda: (tmp_path / "one.log").read_text().count("stuck") > 15)
        assert pid_of(keeper) == first, "a new one would have been as ill"
        ill.unlink()
        await asyncio.sleep(1.5)
        cure.touch()
        await asyncio.sleep(1.5)
        assert pid_of(keeper) == first, "it got well by itself"
        ill.touch()
        await until(lambda: keeper.restarts == 1 and keeper.state is State.UP)
        second = pid_of(keeper)
        await asyncio.sleep(1.5)
        assert (pid_of(keeper), keeper.restarts) == (second, 1)


async def test_others_are_left_alone_when_one_dies(tmp_path: Path) -> None:
    async with supervised(tmp_path, [spec(tmp_path, "one"), spec(tmp_path, "two")]) as supervisor:
        await supervisor.start()
        one, two = supervisor.keepers
        second = pid_of(two)
        os.kill(pid_of(one), signal.SIGKILL)
        await until(lambda: one.restarts == 1 and one.state is State.UP)
        assert two.pid == second
        assert two.restarts == 0


async def test_a_first_start_that_fails_says_why_with_the_last_lines(tmp_path: Path) -> None:
    async with supervised(tmp_path, [spec(tmp_path, "one", DYING)]) as supervisor:
        with pytest.raises(StartFailed, match=r"one did not start: it exited with code 3; its log is .*one\.log\n  cannot open the valve"):
            await supervisor.start()


async def test_a_process_that_is_not_ready_in_time_is_killed(tmp_path: Path) -> None:
    async with supervised(tmp_path, [spec(tmp_path, "one", NEVER_READY, ready_deadline=1.0)]) as supervisor:
        with pytest.raises(StartFailed, match="not ready within 1 s"):
            await supervisor.start()
        assert supervisor.keepers[0].pid is None


async def test_a_program_that_is_not_there_is_named(tmp_path: Path) -> None:
    async def ready(pid: int) -> Details:
        raise AssertionError(f"process {pid} cannot be")

    missing = ProcessSpec("one", lambda last: Launch((str(tmp_path / "nats-server"),), {}), ready)
    async with supervised(tmp_path, [missing]) as supervisor:
        with pytest.raises(StartFailed, match="nats-server"):
            await supervisor.start()


async def test_a_process_deaf_to_sigterm_is_killed_after_the_deadline(tmp_path: Path) -> None:
    supervisor = Supervisor([[spec(tmp_path, "one", DEAF, stop_deadline=0.5)]], tmp_path, CollectorRegistry(), lambda name, details: None)
    await supervisor.start()
    pid = pid_of(supervisor.keepers[0])
    os.kill(pid, signal.SIGTERM)
    await asyncio.sleep(0.2)
    assert is_alive(pid)
    await supervisor.stop()
    assert not is_alive(pid)


async def test_hurry_does_not_wait_for_the_deadline(tmp_path: Path) -> None:
    supervisor = Supervisor([[spec(tmp_path, "one", DEAF, stop_deadline=600.0)]], tmp_path, CollectorRegistry(), lambda name, details: None)
    await supervisor.start()
    pid = pid_of(supervisor.keepers[0])
    stopping = asyncio.create_task(supervisor.stop())
    await asyncio.sleep(0.3)
    assert not stopping.done()
    supervisor.hurry()
    await asyncio.wait_for(stopping, 10.0)
    assert not is_alive(pid)


async def test_a_service_whose_event_loop_is_stopped_is_noticed_and_its_return_too(tmp_path: Path) -> None:
    program = """
import asyncio, os, pathlib, sys
from monazite.lifeline import ChildLifeline
name, folder = sys.argv[1], pathlib.Path(sys.argv[2])
async def live():
    lifeline = ChildLifeline(int(os.environ["MONAZITE_LIFELINE_FD"]))
    lifeline.watch(lambda: None)
    part = folder / (name + ".part")
    part.write_text('{"pid": %d, "port": 0}' % os.getpid())
    part.rename(folder / (name + ".json"))
    while True:
        lifeline.beat()
        await asyncio.sleep(0.2)
asyncio.run(live())
"""
    async with supervised(tmp_path, [spec(tmp_path, "one", program)]) as supervisor:
        await supervisor.start()
        keeper = supervisor.keepers[0]
        pid = pid_of(keeper)
        os.kill(pid, signal.SIGSTOP)
        await until(lambda: keeper.state is State.SILENT)
        os.kill(pid, signal.SIGCONT)
        await until(lambda: keeper.state is State.UP)
        assert (keeper.pid, keeper.restarts) == (pid, 0)


SUPERVISOR_PROGRAM = """
import asyncio, os, pathlib, sys
from prometheus_client import CollectorRegistry
from monazite.child import Launch
from monazite.supervisor import ProcessSpec, Supervisor
folder = pathlib.Path(sys.argv[1])
async def ready(pid):
    while not (folder / ("ours.pid" if pid != guarded[0] else "guarded.pid")).exists():
        await asyncio.sleep(0.02)
    return {}
guarded = [0]
async def ready_guarded(pid):
    guarded[0] = pid
    return await ready(pid)
async def main():
    environment = dict(os.environ)
    ours = ProcessSpec("ours", lambda last: Launch((sys.executable, "-c", sys.argv[2], str(folder / "ours.pid")), environment), ready)
    command = (sys.executable, "-m", "monazite.guard", str(os.getpid()), sys.executable, "-c", sys.argv[3], str(folder / "guarded.pid"))
    foreign = ProcessSpec("guarded", lambda last: Launch(command, environment), ready_guarded)
    supervisor = Supervisor([[ours, foreign]], folder, CollectorRegistry(), lambda name, details: None)
    await supervisor.start()
    print("up", flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
"""

STUCK_SERVICE = """
import os, pathlib, sys, threading
from monazite.lifeline import ChildLifeline
ChildLifeline(int(os.environ["MONAZITE_LIFELINE_FD"])).watch(lambda: None)
pathlib.Path(sys.argv[1]).write_text(str(os.getpid()))
threading.Event().wait()
"""

FOREIGN_PROGRAM = """
import os, pathlib, socket, sys, threading
server = socket.create_server(("127.0.0.1", 0))
pathlib.Path(sys.argv[1]).write_text("%d %d" % (os.getpid(), server.getsockname()[1]))
threading.Event().wait()
"""


async def test_nothing_outlives_a_supervisor_that_is_killed(tmp_path: Path) -> None:
    """Neither a service, even one that does not react to the end of its lifeline, nor a program that knows nothing of us."""
    supervisor = await asyncio.create_subprocess_exec(
        sys.executable, "-c", SUPERVISOR_PROGRAM, str(tmp_path), STUCK_SERVICE, FOREIGN_PROGRAM, stdout=asyncio.subprocess.PIPE
    )
    assert supervisor.stdout is not None
    async with asyncio.timeout(30.0):
        assert await supervisor.stdout.readline() == b"up\n"
    await until(lambda: bool((tmp_path / "guarded.pid").read_text() and (tmp_path / "ours.pid").read_text()))
    foreign, port = map(int, (tmp_path / "guarded.pid").read_text().split())
    ours = int((tmp_path / "ours.pid").read_text())
    assert is_alive(foreign)
    assert is_alive(ours)
    supervisor.kill()
    await supervisor.wait()
    await until(lambda: not is_alive(foreign) and not is_alive(ours), deadline=8.0)
    with socket.create_server(("127.0.0.1", port)):
        pass


async def test_the_guard_does_not_start_a_program_whose_supervisor_is_gone_already() -> None:
    nobody = "1"  # not the parent of what this test starts
    run = await asyncio.create_subprocess_exec(sys.executable, "-m", "monazite.guard", nobody, sys.executable, "-c", "print('runs')", stdout=-1, stderr=-1)
    output, errors = await run.communicate()
    assert (output, run.returncode) == (b"", 1)
    assert b"the supervisor is gone" in errors
