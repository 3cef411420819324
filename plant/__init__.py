"""The words of the plant, shared by every other package: pure, with NumPy and Arrow and no I/O but the reading of a site folder.

Times are functions of ``plant.times``, and a command is checked by ``plant.command.check``: both read best with their module's name before them.
"""

from plant.batch import Batch, Float64Column, Int16Column, Int32Column, Int64Column, SampleBatch, TextBatch, TextColumn
from plant.command import Command, CommandResult, CommandState, CommandValue, Refusal
from plant.compression_report import CompressionReport, compression_reports
from plant.current_values import CurrentValues
from plant.device import (
    ByteOrder,
    ClockOffset,
    Device,
    Encoding,
    Expression,
    LinkLost,
    ModbusAddress,
    ModbusDevice,
    ModbusTable,
    OpcuaAddress,
    OpcuaDevice,
    OpcuaSecurity,
    SerialLine,
    Source,
    TcpLine,
)
from plant.edit import EditMode
from plant.envelope import Envelope, from_arrow, seal, to_arrow, unseal
from plant.errors import (
    BusUnavailable,
    ConfigurationError,
    CorruptBatch,
    DeviceProtocolError,
    DeviceUnreachable,
    MonaziteError,
    Problem,
    StoreUnavailable,
    Unstorable,
)
from plant.event import Event
from plant.exception_report import ExceptionReport
from plant.ledger import GAP_EVENT, Gap, GapCause, Position, event_of_gap, gap_of_event
from plant.link import DeviceStatus, LinkState
from plant.quality import Quality, good_mask, is_bad, is_good, quality_from_name, quality_name, stored_form
from plant.site import Site
from plant.site_loader import load_site, reference_site
from plant.site_writer import write_site
from plant.swinging_door import SwingingDoor
from plant.tag import AlarmLimits, DataType, Kind, Priority, Tag
from plant.tag_index import TagIndex

__all__ = [
    "GAP_EVENT",
    "AlarmLimits",
    "Batch",
    "BusUnavailable",
    "ByteOrder",
    "ClockOffset",
    "Command",
    "CommandResult",
    "CommandState",
    "CommandValue",
    "CompressionReport",
    "ConfigurationError",
    "CorruptBatch",
    "CurrentValues",
    "DataType",
    "Device",
    "DeviceProtocolError",
    "DeviceStatus",
    "DeviceUnreachable",
    "EditMode",
    "Encoding",
    "Envelope",
    "Event",
    "ExceptionReport",
    "Expression",
    "Float64Column",
    "Gap",
    "GapCause",
    "Int16Column",
    "Int32Column",
    "Int64Column",
    "Kind",
    "LinkLost",
    "LinkState",
    "ModbusAddress",
    "ModbusDevice",
    "ModbusTable",
    "MonaziteError",
    "OpcuaAddress",
    "OpcuaDevice",
    "OpcuaSecurity",
    "Position",
    "Priority",
    "Problem",
    "Quality",
    "Refusal",
    "SampleBatch",
    "SerialLine",
    "Site",
    "Source",
    "StoreUnavailable",
    "SwingingDoor",
    "Tag",
    "TagIndex",
    "TcpLine",
    "TextBatch",
    "TextColumn",
    "Unstorable",
    "compression_reports",
    "event_of_gap",
    "from_arrow",
    "gap_of_event",
    "good_mask",
    "is_bad",
    "is_good",
    "load_site",
    "quality_from_name",
    "quality_name",
    "reference_site",
    "seal",
    "stored_form",
    "to_arrow",
    "unseal",
    "write_site",
]
