import numexpr
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plant.expression import DEEPEST, FUNCTIONS, LONGEST, check_expression, is_variable

NUMBERS: st.SearchStrategy[str] = st.deferred(
    lambda: st.one_of(
        st.sampled_from(["A", "B"]),
        st.integers(0, 1000).map(str),
        st.floats(0, 1000, allow_nan=False, width=32).map(str),
        st.tuples(NUMBERS, st.sampled_from("+-*/%"), NUMBERS).map(lambda part: f"({part[0]} {part[1]} {part[2]})"),
        st.tuples(NUMBERS, NUMBERS).map(lambda part: f"({part[0]} ** {part[1]})"),
        NUMBERS.map(lambda part: f"(-{part})"),
        st.tuples(st.sampled_from([name for name, count in FUNCTIONS.items() if count == 1]), NUMBERS).map(lambda part: f"{part[0]}({part[1]})"),
        st.tuples(CONDITIONS, NUMBERS, NUMBERS).map(lambda part: f"where({part[0]}, {part[1]}, {part[2]})"),
    )
)
CONDITIONS: st.SearchStrategy[str] = st.deferred(
    lambda: st.one_of(
        st.tuples(NUMBERS, st.sampled_from(["<", "<=", ">", ">=", "==", "!="]), NUMBERS).map(" ".join).map("({})".format),
        st.tuples(CONDITIONS, st.sampled_from("&|"), CONDITIONS).map(lambda part: f"({part[0]} {part[1]} {part[2]})"),
        CONDITIONS.map(lambda part: f"(~{part})"),
    )
)


@given(NUMBERS)
def test_what_is_accepted_can_be_evaluated(text: str) -> None:
    if check_expression(f"A + B + {text}", ["A", "B"]):
        return
    columns = {"A": np.array([0.0, 1.5, -2.0]), "B": np.array([3.0, 0.0, np.nan])}
    with np.errstate(all="ignore"):
        result = numexpr.evaluate(f"A + B + {text}", local_dict=columns, global_dict={})
    assert np.broadcast_to(result, (3,)).dtype.kind in "fi"


@pytest.mark.parametrize(
    "text",
    [
        "A / B",
        "-A + 2 * B ** 0.5 % 3",
        "where((A > 1) & ~(B == 2) | (A != B), A, B)",
        "log(A) + log10(B) + exp(1) + sqrt(2) + abs(A)",
        "  A + B ",
        "A + B + 2 ** 10 / 3",
    ],
)
def test_the_language(text: str) -> None:
    assert check_expression(text, ["A", "B"]) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "cannot be parsed"),
        ("A +", "cannot be parsed"),
        ("A; A", "cannot be parsed"),
        ("A\0", "cannot be parsed"),
        ("(" * 250 + "A" + ")" * 250, "characters"),
        ("-" * (DEEPEST + 1) + "A", "nested too deeply"),
        ("A" + " + A" * LONGEST, "characters"),
        ("A + X", "uses 'X', which is no input"),
        ("1", "does not use its input 'A'"),
        ("A.real", "not of this language"),
        ("A[0]", "not of this language"),
        ("A // 2", "not of this language"),
        ("A @ A", "not of this language"),
        ("A << 2", "not of this language"),
        ("A ^ 2", "not of this language"),
        ("[A]", "not of this language"),
        ("(A, A)", "not of this language"),
        ("A if A else A", "not of this language"),
        ("lambda: A", "not of this language"),
        ("(B := A)", "not of this language"),
        ("'A' + A", "not of this language"),
        ("A + 1j", "not of this language"),
        ("A + True", "not of this language"),
        ("where(1 < A < 3, A, 0)", "not of this language"),
        ("where(A > 1 and A < 3, A, 0)", "not of this language"),
        ("where(not A > 1, A, 0)", "not of this language"),
        ("where(A in A, A, 0)", "not of this language"),
        ("minimum(A, A)", "not of this language"),
        ("__import__('os').system('A')", "not of this language"),
        ("log(A, 2)", "gives log 2 arguments"),
        ("where(A > 1)", "gives where 1 arguments"),
        ("log(x=A)", "not of this language"),
        ("log(*A)", "not of this language"),
        ("A > 1", "takes the condition 'A > 1' for a number"),
        ("-(A > 1)", "takes the condition 'A > 1' for a number"),
        ("(A > 1) + A", "takes the condition 'A > 1' for a number"),
        ("where(A, A, 0)", "takes the number 'A' for a condition"),
        ("where(A & (A > 1), A, 0)", "takes the number 'A' for a condition"),
        ("where(~A, A, 0)", "takes the number 'A' for a condition"),
        ("A * (1 ** (-abs(1)))", "raises a whole number to a negative power"),
        ("A * where(A > 1, 1, 2) ** -1", "raises a whole number to a negative power"),
        ("A + 1 / 0", "divides by the constant 0"),
        ("A / 0.0", "divides by the constant 0"),
        ("A % (2 - 2)", "divides by the constant 0"),
        ("where(1 < 2, A, 0)", "compares constants"),
        ("A ** -log(0)", "no number from constants alone"),
        ("A + exp(1000)", "no number from constants alone"),
        ("A + sqrt(-1)", "no number from constants alone"),
        ("A + 9 ** 9 ** 9", "no number from constants alone"),
        ("A + (-1) ** 0.5", "no number from constants alone"),
        ("A + 10000000000 * 10000000000", "too large to compute with"),
        ("A + 1e400", "too large to compute with"),
        ("A + " + "9" * 400, "too large to compute with"),
    ],
)
def test_what_is_not_of_the_language_is_refused(text: str, message: str) -> None:
    complaints = check_expression(text, ["A"])
    assert any(message in complaint for complaint, _ in complaints), complaints
    assert all(mend for _, mend in complaints)


def test_names_of_inputs() -> None:
    names = ["F", "flow_1", "1F", "_F", "log", "if", "Ä", ""]
    assert [name for name in names if is_variable(name)] == ["F", "flow_1"]
