"""A sequence as data: steps with what they set, transitions with what they wait for, and what happens when somebody holds, stops or aborts it.

Steps, transitions and their order are those of a sequential function chart (IEC 61131-3, SFC): of the transitions of a step that are met in one scan, the
first counts; at most one is taken in a scan; what a step sets is a non-stored action (qualifier ``N``), given in every scan of the step.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Final

from simulators.plc.condition import Condition
from simulators.plc.on_delay import PRESET
from simulators.plc.sequences.procedural_state import SequenceCommand
from simulators.plc.signal import Direction, Signal
from simulators.process.bounds import Within, check_parameters

COMPLETE: Final = "COMPLETE"
"""Where the last transition goes."""
_TIMEOUT: Final = Within(1e-3, 1e7, "s")


@dataclass(frozen=True, slots=True)
class Ramp:
    """Moves a signal from what it has when the step begins, or goes on after a hold, to ``target`` at ``per_minute``."""

    tag: str
    target: float
    per_minute: Annotated[float, Within(1e-9, 1e9)]

    def __post_init__(self) -> None:
        """Raises ValueError: a value out of its range."""
        check_parameters(self)


@dataclass(frozen=True, slots=True)
class Transition:
    """To another step once ``when`` has held in all its conditions for ``for_s`` seconds of the running step, and the step has run for ``after_s``.

    A signal that is Bad meets no condition. Time stands still while the sequence does not run.
    """

    to: str
    when: tuple[Condition, ...] = ()
    for_s: Annotated[float, PRESET] = 0.0
    after_s: Annotated[float, PRESET] = 0.0

    def __post_init__(self) -> None:
        """Raises ValueError: a value out of its range."""
        check_parameters(self)


@dataclass(frozen=True, slots=True)
class Reaction:
    """What a transient state does: it is done once ``until`` holds in all its conditions; after ``timeout_s`` it is done with for worse (see ``Procedure``)."""

    sets: Mapping[str, float] = field(default_factory=dict)
    ramps: tuple[Ramp, ...] = ()
    until: tuple[Condition, ...] = ()
    timeout_s: Annotated[float, Within(0.0, _TIMEOUT.high, "s")] = 60.0

    def __post_init__(self) -> None:
        """Raises ValueError: a value out of its range."""
        check_parameters(self)


@dataclass(frozen=True, slots=True)
class Step:
    """``number`` is what the step signal shows. A step that lasts longer than ``timeout_s`` gives ``on_timeout``.

    ``holding`` is instead of the sequence's own; ``resume`` is the step in which a sequence that was held here goes on (blank: here, where it was).
    """

    name: str
    number: Annotated[int, Within(1, 99)]
    transitions: tuple[Transition, ...]
    timeout_s: Annotated[float, _TIMEOUT]
    sets: Mapping[str, float] = field(default_factory=dict)
    ramps: tuple[Ramp, ...] = ()
    on_timeout: SequenceCommand = SequenceCommand.HOLD
    holding: Reaction | None = None
    resume: str = ""

    def __post_init__(self) -> None:
        """Raises ValueError: a value out of its range."""
        check_parameters(self)


@dataclass(frozen=True, slots=True)
class StepSequence:
    """``tag`` is its step signal, as in ``SIN.FUR101.KY101``: the number of the step, 0 in none. ``.STATE`` and ``.COMMAND`` stand beside it.

    The first step is where it starts; ``start_when`` are its permissives. ``ValueError`` that names every mistake: a step that stands twice, that goes
    nowhere, or that nothing leads to.
    """

    tag: str
    steps: tuple[Step, ...]
    holding: Reaction = field(default_factory=Reaction)
    restarting: Reaction = field(default_factory=Reaction)
    stopping: Reaction = field(default_factory=Reaction)
    aborting: Reaction = field(default_factory=Reaction)
    start_when: tuple[Condition, ...] = ()

    def __post_init__(self) -> None:
        mistakes = list(_mistakes(self.steps))
        if mistakes:
            raise ValueError(f"sequence {self.tag}: {'; '.join(mistakes)}")

    @property
    def state_tag(self) -> str:
        return f"{self.tag}.STATE"

    @property
    def command_tag(self) -> str:
        return f"{self.tag}.COMMAND"

    @property
    def declares(self) -> tuple[Signal, ...]:
        return (
            Signal(self.tag, Direction.MEMORY, 0.0, 99.0),
            Signal(self.state_tag, Direction.MEMORY, 0.0, 9.0),
            Signal(self.command_tag, Direction.MEMORY, 0.0, 6.0),
        )

    @property
    def uses(self) -> tuple[str, ...]:
        reactions = [self.holding, self.restarting, self.stopping, self.aborting, *(step.holding for step in self.steps if step.holding is not None)]
        names = [condition.tag for condition in self.start_when]
        names += [name for step in self.steps for name in (*step.sets, *(ramp.tag for ramp in step.ramps))]
        names += [name for reaction in reactions for name in (*reaction.sets, *(ramp.tag for ramp in reaction.ramps))]
        names += [condition.tag for reaction in reactions for condition in reaction.until]
        names += [condition.tag for step in self.steps for transition in step.transitions for condition in transition.when]
        return tuple(dict.fromkeys(names))


def _mistakes(steps: tuple[Step, ...]) -> list[str]:
    names = [step.name for step in steps]
    if not steps:
        return ["has no steps; give it one"]
    found = [f"step {name} stands there twice; rename one" for name in dict.fromkeys(names) if names.count(name) > 1 or name == COMPLETE]
    numbers = [step.number for step in steps]
    found += [f"number {number} belongs to two steps; give each its own" for number in dict.fromkeys(numbers) if numbers.count(number) > 1]
    leads: dict[str, set[str]] = {}
    for step in steps:
        leads[step.name] = {transition.to for transition in step.transitions} | ({step.resume} if step.resume else set())
        found += [f"step {step.name} goes to {to}, which is no step; mend the name" for to in sorted(leads[step.name] - {*names, COMPLETE})]
        if not step.transitions:
            found.append(f"step {step.name} goes nowhere; give it a transition, the last one to {COMPLETE}")
    reached, fresh = {steps[0].name}, {steps[0].name}
    while fresh:
        fresh = {to for name in fresh for to in leads.get(name, ())} - reached
        reached |= fresh
    found += [f"nothing leads to step {name}; remove it, or give it a transition" for name in names if name not in reached]
    if COMPLETE not in reached:
        found.append(f"it never ends; lead a transition to {COMPLETE}")
    return found
