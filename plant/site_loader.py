"""A site folder -> ``Site``. The files and their columns are described in docs/formats/site.md.

Reading the files is here; what their texts mean is in pure modules, one for each kind of file. Every mistake found in any of them is told at once.
"""

import errno
from collections.abc import Mapping
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Final

from plant.device import Device, ModbusDevice, OpcuaDevice
from plant.errors import ConfigurationError, Problem
from plant.site import Site
from plant.site_checks import check_devices, check_heartbeats, check_sources, one_source_a_tag
from plant.site_devices import parse_devices
from plant.site_document import TomlTable, read_document
from plant.site_sources import MODBUS_COLUMNS, MODBUS_OPTIONAL, OPCUA_COLUMNS, OPCUA_OPTIONAL, SourceRow, parse_calculated, parse_modbus, parse_opcua
from plant.site_table import read_table
from plant.site_tags import TAG_COLUMNS, TAG_OPTIONAL, parse_tags

SITE: Final = "site.toml"
TAGS: Final = "tags.csv"
DEVICES: Final = "devices.toml"
MODBUS: Final = "modbus.csv"
OPCUA: Final = "opcua.csv"
CALCULATED: Final = "calculated.toml"
FILES: Final = (SITE, TAGS, DEVICES, MODBUS, OPCUA, CALCULATED)


def load_site(folder: Traversable | Path) -> Site:
    """The site of a folder.

    Raises:
        ConfigurationError: with every problem of the folder, ordered by file and line.
    """
    problems: list[Problem] = []
    if folder.is_dir():
        site = parse_site(_texts(folder, problems), problems)
    else:
        problems.append(Problem(str(folder), None, None, "is no folder", f"name the folder that holds {SITE}"))
        site = None
    if problems or site is None:
        raise ConfigurationError(sorted(set(problems), key=_place))
    return site


def reference_site() -> Site:
    """The reference plant: 352 tags on 23 devices."""
    return load_site(resources.files("plant") / "reference")


def parse_site(texts: Mapping[str, str | None], problems: list[Problem]) -> Site | None:
    """The site that the texts of a folder's files describe; a file that is there and cannot be read has the text ``None``.

    What is wrong is added to ``problems``; ``None`` only where something was.
    """
    before = len(problems)
    name = _site_name(texts, problems)
    document = _devices_document(texts, problems)
    devices = None if document is None else parse_devices(document)
    sources, all_sources_read = _sources(texts, devices, problems)
    text = _required(TAGS, f"write it with the header {','.join(TAG_COLUMNS)}", texts, problems)
    if text is None:
        return None
    table = read_table(TAGS, text, TAG_COLUMNS, problems, optional=TAG_OPTIONAL)
    if table.is_whole and not table.rows:
        problems.append(Problem(TAGS, None, None, "holds no tags", "write a row for each tag"))
    tags = parse_tags(table.rows, {row.tag: row.source for row in sources})
    check_devices(tags, devices)
    check_sources(tags, sources, devices, all_tags_read=table.is_whole, all_sources_read=all_sources_read)
    if document is not None and devices is not None and table.is_whole:
        check_heartbeats(tags, devices, document)
    if len(problems) > before or name is None or devices is None:
        return None
    known = {name: device for name, device in devices.items() if device is not None}
    return Site(name, known, tuple(row.tag for row in tags if row.tag is not None))


def _texts(folder: Traversable | Path, problems: list[Problem]) -> Mapping[str, str | None]:
    texts: dict[str, str | None] = {}
    for name in FILES:
        file = folder / name
        try:
            if file.is_dir():
                raise IsADirectoryError(errno.EISDIR, "it is a folder")
            if file.is_file():
                texts[name] = _decoded(name, file.read_bytes(), problems)
        except OSError as error:
            problems.append(Problem(name, None, None, f"cannot be read: {error.strerror}", "make it a file that this user may read"))
            texts[name] = None
    return texts


def _decoded(name: str, data: bytes, problems: list[Problem]) -> str | None:
    """UTF-8, with the byte order mark that spreadsheets write or without."""
    try:
        return data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        problems.append(Problem(name, line, None, f"byte 0x{data[error.start]:02X} is no UTF-8", "save the file with the encoding UTF-8"))
        return None


def _site_name(texts: Mapping[str, str | None], problems: list[Problem]) -> str | None:
    text = _required(SITE, 'write name = "…" into it', texts, problems)
    document = None if text is None else read_document(SITE, text, problems)
    if document is None:
        return None
    document.only(["name"])
    return document.string("name", '"Reference plant"')


def _devices_document(texts: Mapping[str, str | None], problems: list[Problem]) -> TomlTable | None:
    text = _required(DEVICES, "write a table [devices.NAME] for each device into it", texts, problems)
    return None if text is None else read_document(DEVICES, text, problems)


def _sources(texts: Mapping[str, str | None], devices: Mapping[str, Device | None] | None, problems: list[Problem]) -> tuple[list[SourceRow], bool]:
    """The source of each tag, and whether all of their files were read. A file is needed only where the site has something for it."""
    rows: list[SourceRow] = []
    all_read = None not in {texts.get(name, "") for name in (MODBUS, OPCUA, CALCULATED)}
    kinds = {type(device) for device in (devices or {}).values()}
    for name, columns, optional, parse, kind in (
        (MODBUS, MODBUS_COLUMNS, MODBUS_OPTIONAL, parse_modbus, ModbusDevice),
        (OPCUA, OPCUA_COLUMNS, OPCUA_OPTIONAL, parse_opcua, OpcuaDevice),
    ):
        if (text := texts.get(name)) is not None:
            table = read_table(name, text, columns, problems, optional=optional)
            rows += parse(table.rows)
            all_read &= table.is_whole
        elif name not in texts and kind in kinds:
            problems.append(Problem(name, None, None, "is missing", f"write it with the header {','.join(columns)}"))
            all_read = False
    if (text := texts.get(CALCULATED)) is not None:
        document = read_document(CALCULATED, text, problems)
        rows += [] if document is None else parse_calculated(document, devices)
        all_read &= document is not None
    return one_source_a_tag(rows), all_read


def _required(name: str, mend: str, texts: Mapping[str, str | None], problems: list[Problem]) -> str | None:
    if name not in texts:
        problems.append(Problem(name, None, None, "is missing", mend))
    return texts.get(name)


def _place(problem: Problem) -> tuple[str, int, str, str]:
    return problem.file, problem.line or 0, problem.field or "", problem.message
