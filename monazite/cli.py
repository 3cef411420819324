"""The command ``monazite``. Mistakes of the user are said in a line each, with the mend, and exit with 2; never as a traceback."""

import importlib
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from monazite.browsed_device import device_of
from monazite.service import EXIT_CONFIGURATION, EXIT_FAILED, body_of, run_service
from monazite.settings import load_settings
from plant import ConfigurationError, OpcuaSecurity, StoreUnavailable
from plant.aggregates import AggregateFunction
from plant.device import MessageSecurity, SecurityPolicy

app = typer.Typer(
    name="monazite",
    help="Process-control layer and historian of a rare-earth and permanent-magnet complex. Settings: MONAZITE_* or the TOML file MONAZITE_CONFIG names.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Data = Annotated[Path | None, typer.Option(help="Folder that holds all state [default: monazite-data].", show_default=False)]
Plant = Annotated[Path | None, typer.Option(help="Site folder [default: the reference plant].", show_default=False)]
Store = Annotated[str | None, typer.Option(help="sqlite:///FILE or postgresql://… [default: SQLite in the data folder].", show_default=False)]
Port = Annotated[int | None, typer.Option(help="Port of the API; 0 picks a free one [default: 8080].", show_default=False)]
Speed = Annotated[float | None, typer.Option(help="Speed of the simulated plant [default: 1, real time].", show_default=False)]


@app.command()
def up(
    data: Data = None,
    port: Port = None,
    speed: Speed = None,
    plant: Plant = None,
    store: Store = None,
    simulators: Annotated[bool, typer.Option("--simulators/--no-simulators", help="Simulate the devices of the site, or use the real ones.")] = True,
) -> None:
    """Runs everything on this machine: bus, simulated plant, gateway, historian, control, API. Ctrl-C stops it."""
    settings = load_settings(data=data, port=port, speed=speed, plant=plant, store=store)
    raise typer.Exit(importlib.import_module("monazite.up").run_up(settings, simulators))


@app.command()
def simulate(
    plant: Plant = None,
    speed: Speed = None,
    free_ports: Annotated[bool, typer.Option("--free-ports", help="Listen on free ports, not on those the site names.")] = False,
) -> None:
    """Serves the simulated devices of a site."""
    _service("simulate", plant=plant, speed=speed, simulator_ports="free" if free_ports else None)


@app.command()
def gateway(plant: Plant = None) -> None:
    """Owns every connection to the field; publishes what it reads, carries out commands."""
    _service("gateway", plant=plant)


@app.command()
def historian(plant: Plant = None, data: Data = None, store: Store = None) -> None:
    """Writes what is on the bus into the store."""
    _service("historian", plant=plant, data=data, store=store)


@app.command()
def control(plant: Plant = None) -> None:
    """Checks, carries and audits commands."""
    _service("control", plant=plant)


@app.command()
def api(plant: Plant = None, data: Data = None, store: Store = None, port: Port = None) -> None:
    """Serves the REST API."""
    _service("api", plant=plant, data=data, store=store, port=port)


@app.command()
def replay(
    files: Annotated[list[Path], typer.Argument(help="Recordings (CSV).", metavar="FILE…")],
    site: Annotated[Path, typer.Option(help="Folder to write a site for the recordings to.")],
    protocol: Annotated[Literal["modbus", "opcua"], typer.Option(help="How the devices speak.")] = "modbus",
    speed: Speed = None,
) -> None:
    """Serves recorded data as live devices, and writes the site folder that reads them."""
    settings = load_settings(speed=speed)
    replaying = importlib.import_module("monazite.replay")
    raise typer.Exit(run_service("replay", settings, lambda: replaying.body(files, protocol, site), serves_metrics=False))


@app.command()
def check(folder: Annotated[Path, typer.Argument(metavar="DIR", help="Site folder.")]) -> None:
    """Says everything that is wrong with a site folder, or what is in it."""
    typer.echo(importlib.import_module("monazite.check").summary(folder))


@app.command()
def query(
    tags: Annotated[list[str], typer.Argument(metavar="TAG…", help="Names of tags.")],
    start: Annotated[str, typer.Option("--from", help="2026-11-23T04:00:00Z, or an offset from now.")] = "-1h",
    end: Annotated[str, typer.Option("--to", help="Not included.")] = "now",
    aggregate: Annotated[AggregateFunction | None, typer.Option(help="OPC UA Part 13 aggregate of each interval.", show_default=False)] = None,
    interval: Annotated[str, typer.Option(help="10s, 1m, 1h.")] = "1m",
    form: Annotated[Literal["table", "csv", "json", "arrow", "parquet"], typer.Option("--format")] = "table",
    plant: Plant = None,
    data: Data = None,
    store: Store = None,
) -> None:
    """Reads history."""
    module = importlib.import_module("monazite.query")
    question = module.Question(tags, start, end, aggregate, interval, form)
    module.run(load_settings(plant=plant, data=data, store=store), question, sys.stdout.buffer)


@app.command()
def gaps(
    start: Annotated[str, typer.Option("--from", help="2026-11-23T04:00:00Z, or an offset from now.")] = "-24h",
    end: Annotated[str, typer.Option("--to", help="Not included.")] = "now",
    plant: Plant = None,
    data: Data = None,
    store: Store = None,
) -> None:
    """The loss ledger, reconciled: what should have come, what is stored, what is lost."""
    typer.echo(importlib.import_module("monazite.gaps").report(load_settings(plant=plant, data=data, store=store), start, end))


@app.command()
def backup(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A folder that is empty or does not exist.")], data: Data = None, store: Store = None
) -> None:
    """Copies a SQLite history while it is written to. To restore, put the files back in its place."""
    importlib.import_module("monazite.backup").run(load_settings(data=data, store=store), folder)


@app.command()
def quarantine(
    out: Annotated[Path | None, typer.Option(help="Folder to copy the messages to [default: list them only].", show_default=False)] = None,
    data: Data = None,
) -> None:
    """Lists what the historian could never store, and why. Nothing is taken out."""
    typer.echo(importlib.import_module("monazite.quarantine").run(load_settings(data=data), out))


@app.command()
def recalculate(
    tag: Annotated[str, typer.Argument(metavar="TAG", help="Name of a calculated tag.")],
    start: Annotated[str, typer.Option("--from", help="2026-11-23T04:00:00Z, or an offset from now.")],
    end: Annotated[str, typer.Option("--to", help="Not included.")] = "now",
    reason: Annotated[str, typer.Option(help="Why, for the audit trail.")] = "",
    plant: Plant = None,
    data: Data = None,
) -> None:
    """Computes a calculated tag again from its stored inputs, as after a change of its expression. The historian does it, and must know the change."""
    typer.echo(importlib.import_module("monazite.recalculate").run(load_settings(plant=plant, data=data), tag, start, end, reason))


@app.command()
def browse(
    url: Annotated[str, typer.Argument(help="opc.tcp://HOST:PORT/PATH")],
    out: Annotated[Path | None, typer.Option(help="New site folder to write [default: a table on standard output].", show_default=False)] = None,
    start: Annotated[str | None, typer.Option("--from", help="Node to begin at, as nsu=URI;s=NAME [default: Objects].", show_default=False)] = None,
    include: Annotated[
        list[str] | None, typer.Option(help="Paths to take: * and ? within a step, ** for any steps. Again for more.", show_default=False)
    ] = None,
    exclude: Annotated[list[str] | None, typer.Option(help="Paths to leave out, likewise.", show_default=False)] = None,
    area: Annotated[str, typer.Option(help="Area of the tags.")] = "AREA",
    device: Annotated[str, typer.Option(help="Name of the device.")] = "PLC-1",
    first_id: Annotated[int, typer.Option(help="Id of the first tag: ids are never used twice.", min=1)] = 1,
    writable: Annotated[bool, typer.Option("--writable", help="Tags may be written where the server allows it and says the range.")] = False,
    security_policy: Annotated[SecurityPolicy, typer.Option(help="None must be said.")] = SecurityPolicy.AUTO,
    security_mode: Annotated[MessageSecurity, typer.Option()] = MessageSecurity.SIGN_AND_ENCRYPT,
    user: Annotated[str | None, typer.Option(help="Name of a user [default: anonymous].", show_default=False)] = None,
    password_file: Annotated[Path | None, typer.Option(help="File with the user's password.", show_default=False)] = None,
    data: Data = None,
) -> None:
    """Lists an OPC UA server's variables, or writes them as a site folder to review."""
    settings = load_settings(data=data)
    plc = device_of(url, device, area, OpcuaSecurity(security_policy, security_mode), user, password_file)
    module = importlib.import_module("monazite.browse")
    patterns = {"included": include or (), "excluded": exclude or ()}
    typer.echo(module.run(plc, settings.pki_folder, start=start, **patterns, out=out, first_id=first_id, writable=writable), nl=out is not None)


def main() -> None:
    """The console script."""
    try:
        app()
    except ConfigurationError as error:
        for problem in error.problems:
            typer.echo(str(problem), err=True)
        sys.exit(EXIT_CONFIGURATION)
    except StoreUnavailable as error:
        typer.echo(f"the store is away: {error}", err=True)
        sys.exit(EXIT_FAILED)


def _service(name: str, **command_line: object) -> None:
    settings = load_settings(**command_line)
    raise typer.Exit(run_service(name, settings, lambda: body_of(name), serves_metrics=name != "api"))
