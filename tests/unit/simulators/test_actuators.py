"""Commands and their answers."""

import pytest

from plant.tag import DataType
from simulators.actuators import Actuators
from simulators.image import TagImage
from tests.samples import make_tag

NAMES = ("HDM.HD101.XV101", "HDM.HD101.ZSO101", "HDM.HD101.ZSC101", "HDM.HD101.ZSC103", "HDM.P101.HS102", "HDM.P101.YL102", "HDM.P101.YL103")
XV, ZSO, ZSC, _, HS, YL, _ = range(7)


def image_of(*names: str) -> TagImage:
    return TagImage(
        [make_tag(1 + number, name, data_type=DataType.BOOLEAN, writable=name.split(".")[2][:2] in {"XV", "HS"}) for number, name in enumerate(names)], 0
    )


def answers(actuators: Actuators) -> dict[int, float]:
    return dict(zip(actuators.feedback_at.tolist(), actuators.feedback.tolist(), strict=True))


def test_only_answers_that_have_a_command_are_driven() -> None:
    assert sorted(answers(Actuators(image_of(*NAMES)))) == [ZSO, ZSC, YL]


def test_a_valve_is_on_neither_limit_while_it_travels() -> None:
    image = image_of(*NAMES)
    actuators = Actuators(image)
    assert (answers(actuators)[ZSO], answers(actuators)[ZSC]) == (0.0, 1.0)
    image.write(XV, 1.0, 1)
    seen = []
    for _ in range(13):
        actuators.step(0.1)
        seen.append((answers(actuators)[ZSO], answers(actuators)[ZSC]))
    assert seen[:10] == [(0.0, 0.0)] * 10
    assert seen[-1] == (1.0, 0.0)


def test_a_motor_answers_after_half_a_second() -> None:
    image = image_of(*NAMES)
    actuators = Actuators(image)
    image.write(HS, 1.0, 1)
    actuators.step(0.1)
    actuators.step(0.3)
    assert answers(actuators)[YL] == 0.0
    actuators.step(0.3)
    assert answers(actuators)[YL] == 1.0


def test_a_command_taken_back_begins_a_new_journey() -> None:
    image = image_of(*NAMES)
    actuators = Actuators(image)
    for command in (1.0, 0.0, 1.0, 0.0):
        image.write(XV, command, 1)
        actuators.step(0.6)
        assert answers(actuators)[ZSO] == 0.0
    actuators.step(1.0)
    assert answers(actuators)[ZSC] == 1.0


@pytest.mark.parametrize("port", [1.0, 7.0])
def test_a_rotary_valve_arrives_at_the_demanded_port(port: float) -> None:
    image = TagImage(
        [
            make_tag(1, "SEP.COL101.ZC101", data_type=DataType.UINT16, writable=True),
            make_tag(2, "SEP.COL101.ZI101", data_type=DataType.UINT16),
        ],
        0,
    )
    actuators = Actuators(image)
    image.write(0, port, 1)
    actuators.step(0.1)
    assert actuators.feedback.tolist() == [0.0]
    actuators.step(1.1)
    assert actuators.feedback.tolist() == [port]
