"""An address space of any number of variables, wide and deep, that holds no node: each answer is made when it is asked for."""

from collections.abc import Callable, Iterator, Sequence

from asyncua import ua

_NAMESPACE = 2
_TOP, _WIDE = 1, 2
_DEEP, _LINES, _VARIABLES, _RANGES = 1_000, 10_000, 1_000_000, 10_000_000
"""Where the numbers of each kind of node begin."""
_LEVELS, _A_LEVEL, _A_LINE, _A_RANGE = 40, 5, 250, 10
_OBJECTS = ua.NodeId(ua.Int32(ua.ObjectIds.ObjectsFolder))
_HAS_PROPERTY, _ORGANIZES = ua.NodeId(ua.Int32(ua.ObjectIds.HasProperty)), ua.NodeId(ua.Int32(ua.ObjectIds.Organizes))
_FOLDER = ua.ExpandedNodeId(ua.Int32(ua.ObjectIds.FolderType))


class VastSpace:
    """``count`` variables below Objects/Vast: a fifth in one folder, some in each of forty folders one below the other, the last of which leads back,
    the others 250 a folder. Every tenth has a range."""

    def __init__(
        self, count: int, browse: Callable[[ua.BrowseParameters], Sequence[ua.BrowseResult]], read: Callable[[ua.ReadParameters], Sequence[ua.DataValue]]
    ) -> None:
        self.count = count
        self.most_read = 0
        self._browse = browse
        self._read = read
        self._wide = range(count // 5)
        self._deep = range(self._wide.stop, min(count, self._wide.stop + _LEVELS * _A_LEVEL))
        self._rest = range(self._deep.stop, count)

    def browse(self, parameters: ua.BrowseParameters) -> list[ua.BrowseResult]:
        return [self._branch(description) for description in parameters.NodesToBrowse]

    def read(self, parameters: ua.ReadParameters) -> list[ua.DataValue]:
        self.most_read = max(self.most_read, len(parameters.NodesToRead))
        if parameters.NodesToRead[0].NodeId.NamespaceIndex != _NAMESPACE:
            return list(self._read(parameters))
        return [_value_of(place) for place in parameters.NodesToRead]

    def _branch(self, description: ua.BrowseDescription) -> ua.BrowseResult:
        node = description.NodeId
        if node.NamespaceIndex == _NAMESPACE:
            return ua.BrowseResult(References=list(self._children(int(node.Identifier))))
        (result,) = self._browse(ua.BrowseParameters(NodesToBrowse=[description]))
        if node == _OBJECTS:
            result.References = [*result.References, _reference(_TOP, "Vast", ua.NodeClass.Object)]
        return result

    def _children(self, node: int) -> Iterator[ua.ReferenceDescription]:
        level, line = node - _DEEP, node - _LINES
        if node == _TOP:
            yield _reference(_WIDE, "Wide", ua.NodeClass.Object)
            yield _reference(_DEEP, "Level 0", ua.NodeClass.Object)
            for number in range(-(-len(self._rest) // _A_LINE)):
                yield _reference(_LINES + number, f"Line {number}", ua.NodeClass.Object)
        elif node == _WIDE:
            yield from map(_variable, self._wide)
        elif 0 <= level < _LEVELS:
            yield from map(_variable, self._deep[level * _A_LEVEL : (level + 1) * _A_LEVEL])
            below = (_DEEP + level + 1, f"Level {level + 1}") if level + 1 < _LEVELS else (_TOP, "Vast")
            yield _reference(*below, ua.NodeClass.Object)
        elif 0 <= line < _VARIABLES - _LINES:
            yield from map(_variable, self._rest[line * _A_LINE : (line + 1) * _A_LINE])
        elif _VARIABLES <= node < _RANGES and (node - _VARIABLES) % _A_RANGE == 0:
            yield _reference(_RANGES + node - _VARIABLES, "EURange", ua.NodeClass.Variable, _HAS_PROPERTY)


def _variable(number: int) -> ua.ReferenceDescription:
    return _reference(_VARIABLES + number, f"V{number}", ua.NodeClass.Variable)


def _reference(node: int, name: str, kind: ua.NodeClass, reference: ua.NodeId = _ORGANIZES) -> ua.ReferenceDescription:
    return ua.ReferenceDescription(
        ReferenceTypeId=reference,
        IsForward=True,
        NodeId=ua.ExpandedNodeId(ua.Int32(node), ua.Int16(_NAMESPACE)),
        BrowseName=ua.QualifiedName(name, ua.Int16(_NAMESPACE)),
        DisplayName=ua.LocalizedText(),
        NodeClass=kind,
        TypeDefinition=_FOLDER,
    )


def _value_of(place: ua.ReadValueId) -> ua.DataValue:
    match place.AttributeId:
        case ua.AttributeIds.DataType:
            return ua.DataValue(ua.Variant(ua.NodeId(ua.Int32(ua.ObjectIds.Double)), ua.VariantType.NodeId))
        case ua.AttributeIds.ValueRank:
            return ua.DataValue(ua.Variant(-1, ua.VariantType.Int32))
        case ua.AttributeIds.UserAccessLevel:
            return ua.DataValue(ua.Variant(1, ua.VariantType.Byte))
        case ua.AttributeIds.Description:
            return ua.DataValue(ua.Variant(ua.LocalizedText(f"made for node {place.NodeId.Identifier}"), ua.VariantType.LocalizedText))
    return ua.DataValue(ua.Variant(ua.Range(Low=0.0, High=float(int(place.NodeId.Identifier) % 1000 + 1)), ua.VariantType.ExtensionObject))
