"""The language of calculated tags: the part of numexpr's syntax that an engineer needs, checked without evaluating anything.

Allowed are numbers, the names of the inputs, ``+ - * / % **``, one comparison at a time, ``& | ~`` between conditions, and the functions below.
Everything else is refused, so that the evaluator meets no text that it cannot run, and none that Python would run. Whether a part is a number or a
condition is checked too, and so is arithmetic between constants, which the evaluator does in whole numbers of any size before it starts.
"""

import ast
import keyword
import math
import operator
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Final

_OF_ONE_NUMBER: Final[dict[str, Callable[[float], float]]] = {"abs": abs, "exp": math.exp, "log": math.log, "log10": math.log10, "sqrt": math.sqrt}

FUNCTIONS: Final = {**dict.fromkeys(_OF_ONE_NUMBER, 1), "where": 3}
"""Name -> number of arguments. ``log`` is the natural logarithm; ``where(condition, a, b)`` also does what minimum and maximum do."""

LONGEST: Final = 500
DEEPEST: Final = 40

_ARITHMETIC: Final[dict[type[ast.operator], Callable[[float, float], object]]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
}
_LARGEST_WHOLE: Final = 2.0**53
_GRAMMAR: Final = f"write numbers, names of the inputs, + - * / % **, comparisons, & | ~ between them, and {', '.join(FUNCTIONS)}"

Complaint = tuple[str, str]
"""What is wrong, and the mend."""


@dataclass(frozen=True, slots=True)
class _Part:
    """What a part of an expression yields; ``constant`` where only literals went into it, ``is_whole`` where the evaluator computes in whole numbers."""

    is_condition: bool = False
    constant: float | None = None
    is_whole: bool = False


@dataclass(slots=True)
class _Check:
    inputs: Collection[str]
    complaints: list[Complaint] = field(default_factory=list)
    used: set[str] = field(default_factory=set)

    def complain(self, message: str, mend: str = _GRAMMAR) -> _Part:
        self.complaints.append((message, mend))
        return _Part()

    def number(self, node: ast.expr, depth: int) -> _Part:
        part = self.part(node, depth)
        if part.is_condition:
            return self.complain(f"takes the condition {ast.unparse(node)!r} for a number", "write where(condition, 1, 0)")
        return part

    def condition(self, node: ast.expr, depth: int) -> _Part:
        if not self.part(node, depth).is_condition:
            self.complain(f"takes the number {ast.unparse(node)!r} for a condition", "compare it, as in (X > 0); & | ~ need brackets around comparisons")
        return _Part(is_condition=True)

    def part(self, node: ast.expr, depth: int) -> _Part:
        deeper = depth + 1
        if deeper > DEEPEST:
            return self.complain("is nested too deeply", "let the PLC compute it")
        match node:
            case ast.Constant(value=value) if isinstance(value, (int, float)) and not isinstance(value, bool):
                return self.constant(value, isinstance(value, int))
            case ast.Name(id=name):
                return self.name(name)
            case ast.UnaryOp(op=ast.USub() | ast.UAdd(), operand=operand):
                inner = self.number(operand, deeper)
                return _Part(constant=None if inner.constant is None else -inner.constant, is_whole=inner.is_whole)
            case ast.UnaryOp(op=ast.Invert(), operand=operand):
                return self.condition(operand, deeper)
            case ast.BinOp(left=left, op=ast.BitAnd() | ast.BitOr(), right=right):
                self.condition(left, deeper)
                return self.condition(right, deeper)
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _ARITHMETIC:
                return self.arithmetic(self.number(left, deeper), op, self.number(right, deeper))
            case ast.Compare(left=left, ops=[ast.Lt() | ast.LtE() | ast.Gt() | ast.GtE() | ast.Eq() | ast.NotEq()], comparators=[right]):
                sides = self.number(left, deeper), self.number(right, deeper)
                if None not in {side.constant for side in sides}:
                    self.complain("compares constants", "compare an input, or write what is meant without where")
                return _Part(is_condition=True)
            case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]) if name in FUNCTIONS:
                return self.call(name, arguments, deeper)
            case _:
                return self.complain(f"holds {ast.unparse(node)!r}, which is not of this language")

    def name(self, name: str) -> _Part:
        self.used.add(name)
        if name not in self.inputs:
            return self.complain(f"uses {name!r}, which is no input", f'add it to inputs, as in inputs = {{ {name} = "AREA.UNIT.POINT" }}')
        return _Part()

    def constant(self, value: float, is_whole: bool) -> _Part:
        if not abs(value) <= (_LARGEST_WHOLE if is_whole else 1e300):
            return self.complain("holds a constant too large to compute with", "write it smaller, or with a decimal point")
        return _Part(constant=float(value), is_whole=is_whole)

    def arithmetic(self, left: _Part, op: ast.operator, right: _Part) -> _Part:
        if right.constant == 0 and isinstance(op, (ast.Div, ast.Mod)):
            return self.complain("divides by the constant 0", "divide by an input, or by another number")
        is_whole = left.is_whole and right.is_whole and not isinstance(op, ast.Div)
        if is_whole and isinstance(op, ast.Pow) and right.constant is not None and right.constant < 0:
            return self.complain("raises a whole number to a negative power", "write one of them with a decimal point")
        if left.constant is None or right.constant is None:
            return _Part(is_whole=is_whole)
        return self.folded(_ARITHMETIC[type(op)], left.constant, right.constant, is_whole=is_whole)

    def folded(self, compute: Callable[..., object], *constants: float, is_whole: bool) -> _Part:
        try:
            value = compute(*constants)
        except (ArithmeticError, ValueError):
            value = None
        if not isinstance(value, float):
            return self.complain("computes what is no number from constants alone", "write the number itself")
        return self.constant(value, is_whole)

    def call(self, name: str, arguments: list[ast.expr], depth: int) -> _Part:
        if len(arguments) != FUNCTIONS[name]:
            return self.complain(f"gives {name} {len(arguments)} arguments", f"{name} takes {FUNCTIONS[name]}")
        if name == "where":
            self.condition(arguments[0], depth)
            branches = [self.number(argument, depth) for argument in arguments[1:]]
            return _Part(is_whole=all(branch.is_whole for branch in branches))
        inner = self.number(arguments[0], depth)
        is_whole = name == "abs" and inner.is_whole
        return _Part(is_whole=is_whole) if inner.constant is None else self.folded(_OF_ONE_NUMBER[name], inner.constant, is_whole=is_whole)


def check_expression(text: str, inputs: Collection[str]) -> list[Complaint]:
    """Everything wrong with ``text`` over the variables ``inputs``; empty if it may be evaluated, and then its result is a number."""
    if len(text) > LONGEST:
        return [(f"has {len(text)} characters", f"keep it to {LONGEST}, or let the PLC compute it")]
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return [(f"cannot be parsed: {error.args[0]}", _GRAMMAR)]
    check = _Check(inputs)
    check.number(tree.body, 0)
    unused = sorted(set(inputs) - check.used)
    check.complaints += [(f"does not use its input {name!r}", "use it or remove it: its quality would taint the result") for name in unused]
    return list(dict.fromkeys(check.complaints))


def is_variable(name: str) -> bool:
    """Whether an input may have this name."""
    return name.isascii() and name.isidentifier() and not keyword.iskeyword(name) and name not in FUNCTIONS and not name.startswith("_")
