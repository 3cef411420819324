"""A server that answers a browse as large ones do: some references at a time, in few places for answers that it gave in part, so many nodes in a call."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from asyncua import ua
from asyncua.common.utils import ServiceError
from asyncua.server.uaprocessor import UaProcessor
from asyncua.ua.ua_binary import struct_from_binary

_BROWSE_NEXT = ua.NodeId(ua.Int32(ua.ObjectIds.BrowseNextRequest_Encoding_DefaultBinary))


@dataclass
class PortionedBrowse:
    """``references`` of a node in one answer; ``places`` for answers in part; ``most`` nodes in a call; ``refusals`` are the codes of single nodes."""

    whole: Callable[[ua.BrowseParameters], Sequence[ua.BrowseResult]]
    references: int = 1_000_000
    places: int = 1_000_000
    most: int = 1_000_000
    refusals: dict[ua.NodeId, int] = field(default_factory=dict)
    forgets: int = 0
    """Answers in part, of the next ones, whose rest it has no more when it is asked for."""
    browses: list[int] = field(default_factory=list)
    """Nodes of each call; ``rests`` alike, of the calls for the rest of answers."""
    rests: list[int] = field(default_factory=list)
    without_place: int = 0
    _kept: dict[bytes, list[ua.ReferenceDescription]] = field(default_factory=dict)
    _count: int = 0

    @property
    def taken(self) -> int:
        """Places that are not free."""
        return len(self._kept)

    def browse(self, parameters: ua.BrowseParameters) -> list[ua.BrowseResult]:
        self.browses.append(len(parameters.NodesToBrowse))
        self._check(len(parameters.NodesToBrowse))
        results = self.whole(parameters)
        return [self._answer(node.NodeId, result) for node, result in zip(parameters.NodesToBrowse, results, strict=True)]

    def browse_next(self, points: Sequence[bytes]) -> list[ua.BrowseResult]:
        self.rests.append(len(points))
        self._check(len(points))
        return [self._portion(self._kept.pop(point)) if point in self._kept else _refused(ua.StatusCodes.BadContinuationPointInvalid) for point in points]

    def _check(self, nodes: int) -> None:
        if nodes > self.most:
            raise ServiceError(ua.StatusCodes.BadTooManyOperations)

    def _answer(self, node: ua.NodeId, result: ua.BrowseResult) -> ua.BrowseResult:
        if node in self.refusals:
            return _refused(self.refusals[node])
        return self._portion(result.References or []) if result.StatusCode.is_good() else result

    def _portion(self, references: list[ua.ReferenceDescription]) -> ua.BrowseResult:
        if len(references) <= self.references:
            return ua.BrowseResult(References=references)
        if len(self._kept) >= self.places:
            self.without_place += 1
            return _refused(ua.StatusCodes.BadNoContinuationPoints)
        self._count += 1
        point = str(self._count).encode()
        if self.forgets:
            self.forgets -= 1
        else:
            self._kept[point] = references[self.references :]
        return ua.BrowseResult(References=references[: self.references], ContinuationPoint=point)


def answer_in_portions(monkeypatch: pytest.MonkeyPatch, server: Any, portions: PortionedBrowse) -> None:
    """``server`` (an ``asyncua.server.internal_server.InternalServer``) browses so from now on. The library's servers do not know BrowseNext at all."""
    monkeypatch.setattr(server.view_service, "browse", portions.browse)
    process: Any = UaProcessor._process_message

    async def with_browse_next(self: Any, kind: ua.NodeId, header: ua.RequestHeader, sequence: ua.SequenceHeader, body: Any) -> Any:
        if kind != _BROWSE_NEXT:
            return await process(self, kind, header, sequence, body)
        parameters = struct_from_binary(ua.BrowseNextParameters, body)
        response = ua.BrowseNextResponse()
        response.Parameters.Results = portions.browse_next(parameters.ContinuationPoints)
        self.send_response(header.RequestHandle, sequence, response)
        return True

    monkeypatch.setattr(UaProcessor, "_process_message", with_browse_next)


def _refused(code: int) -> ua.BrowseResult:
    return ua.BrowseResult(StatusCode=ua.StatusCode(ua.UInt32(code)), References=[])
