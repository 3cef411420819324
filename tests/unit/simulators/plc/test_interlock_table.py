from pathlib import Path

import pytest

from plant import ConfigurationError
from simulators.plc import Direction, Signal, when
from simulators.plc.interlocks import Action, Cause, Effect, Group, Interlock, Reset, load_interlocks, parse_interlocks

HEADER = "interlock,row,tag,is,value,delay_s,group,vote,for_s,note\n"
SIGNALS = {
    signal.name: signal
    for signal in (
        Signal("T.U.PT1", Direction.INPUT, 0.0, 16.0),
        Signal("T.U.PT2", Direction.INPUT, 0.0, 16.0),
        Signal("T.U.PT3", Direction.INPUT, 0.0, 16.0),
        Signal("T.U.XV1", Direction.OUTPUT),
        Signal("T.U.XV2", Direction.OUTPUT),
    )
}
WHOLE = """X-1,interlock,,auto,,30,,,,too much pressure
X-1,cause,T.U.PT1,>,10,1,a,2oo3,,
X-1,cause,T.U.PT2,>,10,1,a,2oo3,,
X-1,cause,T.U.PT3,>,10,2,a,2oo3,,
X-1,cause,T.U.PT1,>=,12,0,,,,
X-1,while,T.U.XV2,=,1,,a,,,
X-1,while,T.U.XV2,<>,0,,,,,
X-1,until,T.U.PT1,<,8,,,,,
X-1,effect,T.U.XV1,:=,0,,,,60,
X-1,effect,T.U.XV2,stay,0,5,,,,
"""


def mistakes(rows: str) -> list[str]:
    with pytest.raises(ConfigurationError) as raised:
        parse_interlocks("own.csv", HEADER + rows, SIGNALS)
    return [str(problem) for problem in raised.value.problems]


def test_a_whole_table(tmp_path: Path) -> None:
    file = tmp_path / "own.csv"
    file.write_text(HEADER + WHOLE)
    one, two, three = (when(f"T.U.PT{number} > 10")[0] for number in (1, 2, 3))
    groups = (
        Group((Cause(one, 1.0), Cause(two, 1.0), Cause(three, 2.0)), 2, when("T.U.XV2 = 1")),
        Group((Cause(when("T.U.PT1 >= 12")[0], 0.0),)),
    )
    effects = (Effect("T.U.XV1", 0.0, for_s=60.0), Effect("T.U.XV2", 0.0, Action.STAY, delay_s=5.0))
    expected = Interlock("X-1", "too much pressure", groups, effects, Reset.AUTOMATIC, when("T.U.XV2 <> 0"), when("T.U.PT1 < 8"), 30.0)
    assert load_interlocks(file, SIGNALS) == (expected,)


GOOD = "X,interlock,,manual,,,,,,x\nX,cause,T.U.PT1,>,10,1,,,,\nX,effect,T.U.XV1,:=,0,,,,,\n"


@pytest.mark.parametrize(
    ("row", "mistake"),
    [
        (",cause,T.U.PT1,>,10,1,,,,", "own.csv:5: interlock: is blank; write the id, as in I-07"),
        ("X,because,T.U.PT1,>,10,1,,,,", "own.csv:5: row: unknown row 'because'; write one of interlock, cause, while, until, effect"),
        ("X,interlock,,auto,,,,,,y", "own.csv:5: row: there is another row 'interlock' of it in line 2; remove one of the two, or give it another id"),
        ("X,cause,T.U.PT9,>,10,1,,,,", "own.csv:5: tag: there is no signal 'T.U.PT9'; mend the name, or declare the signal"),
        ("X,cause,,>,10,1,,,,", "own.csv:5: tag: is blank; write the tag"),
        ("X,cause,T.U.PT1,=>,10,1,,,,", "own.csv:5: is: unknown is '=>'; write one of <, <=, >, >=, =, <>"),
        ("X,cause,T.U.PT1,>,ten,1,,,,", "own.csv:5: value: 'ten' is no number; write a finite number with a decimal point, as in 12.5"),
        ("X,cause,T.U.PT1,>,,1,,,,", "own.csv:5: value: is blank; write a number"),
        ("X,cause,T.U.PT1,>,20,1,,,,", "own.csv:5: value: T.U.PT1 > 20 is the same for every value that it can have; write a limit within 0 to 16"),
        ("X,cause,T.U.PT1,>=,0,1,,,,", "own.csv:5: value: T.U.PT1 >= 0 is the same for every value that it can have; write a limit within 0 to 16"),
        ("X,cause,T.U.PT1,>,10,,,,,", "own.csv:5: delay_s: is blank; write seconds, 0 for at once"),
        ("X,cause,T.U.PT1,>,10,-1,,,,", "own.csv:5: delay_s: -1 s cannot be; write 0 to 86400 s"),
        ("X,cause,T.U.PT1,>,10,1,,2oo3,,", "own.csv:5: vote: is given to a cause that is in no group; give all causes that vote together one group"),
        ("X,cause,T.U.PT1,>,10,1,g,2oo3,,", "own.csv:5: vote: '2oo3' is no vote of 1 causes; write it as in 1oo1"),
        ("X,cause,T.U.PT1,>,10,1,,,5,", "own.csv:5: for_s: '5' means nothing in a row 'cause'; clear the cell"),
        ("X,while,T.U.PT1,>,10,,h,,,", "own.csv:2: group: X has a row 'while' for group 'h', in which there is no cause; mend the name of the group"),
        ("X,effect,T.U.PT1,:=,0,,,,,", "own.csv:5: tag: T.U.PT1 is an input, and no interlock can drive it; name an output, or a word of the PLC's memory"),
        ("X,effect,T.U.XV2,:=,2,,,,,", "own.csv:5: value: 2 is out of the range of T.U.XV2; write 0 to 1"),
        ("X,effect,T.U.XV2,=,0,,,,,", "own.csv:5: is: unknown is '='; write one of :=, stay"),
        (
            "X,effect,T.U.XV1,:=,1,,,,,",
            "own.csv:5: tag: T.U.XV1 is already an effect of this interlock; remove one of the two, or say with for_s how long the first lasts",
        ),
        ("X,effect,T.U.XV2,:=,0", "own.csv:5: has 5 cells, and the header 10; quote a text that holds a comma"),
    ],
)
def test_a_mistake_is_told_with_its_place_and_its_mend(row: str, mistake: str) -> None:
    assert mistakes(GOOD + row + "\n") == [mistake]


def test_what_is_missing_is_told() -> None:
    assert mistakes("Y,until,T.U.PT1,<,8,,,,,\n") == [
        "own.csv:2: row: Y has no row 'cause'; add one that says when it trips",
        "own.csv:2: row: Y has no row 'effect'; add one that says what it does",
        "own.csv:2: row: Y has no row 'interlock'; add one that says what it is for and who resets it",
    ]


def test_a_vote_that_its_causes_do_not_agree_on() -> None:
    rows = "X,cause,T.U.PT2,>,10,1,g,1oo2,,\nX,cause,T.U.PT3,>,10,1,g,2oo2,,\n"
    assert mistakes(GOOD + rows) == ["own.csv:6: vote: group 'g' votes 1oo2 and 2oo2; give all its causes the same vote"]


def test_one_run_names_everything() -> None:
    rows = "X,interlock,,often,,,,,,\nX,cause,T.U.PT9,!,x,y,,,,\nX,effect,T.U.PT1,:=,0,,,,,\n"
    assert [problem.split(";")[0] for problem in mistakes(rows)] == [
        "own.csv:2: is: unknown is 'often'",
        "own.csv:2: note: is blank",
        "own.csv:3: delay_s: 'y' is no number",
        "own.csv:3: is: unknown is '!'",
        "own.csv:3: tag: there is no signal 'T.U.PT9'",
        "own.csv:3: value: 'x' is no number",
        "own.csv:4: tag: T.U.PT1 is an input, and no interlock can drive it",
    ]


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"cannot be read.*name a CSV file in UTF-8"):
        load_interlocks(tmp_path / "none.csv", SIGNALS)
