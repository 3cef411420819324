"""A sequence at work.

Rules:

- a command comes by ``command`` or by the signal ``.COMMAND``, which is taken back to 0 when it has been looked at; one that is forced, or held by an
  interlock, is looked at in every scan. What the state does not allow is refused, and changes nothing;
- a step that times out gives its own command; a hold that is not held in time is stopped, a restart that does not come up is held again, a stop that does not
  come to rest is aborted, and an abort is over in its time whatever the plant says: no state lasts for ever without a command;
- held, the reaction of the hold goes on being given. Stopped, aborted, complete and idle, the sequence gives nothing.
"""

from collections.abc import Callable, Mapping
from typing import Final

from simulators.plc.condition import Condition
from simulators.plc.sequences.procedural_state import TRANSITIONS, ProceduralState, SequenceCommand
from simulators.plc.sequences.step_sequence import COMPLETE, Ramp, Reaction, Step, StepSequence
from simulators.plc.signal_image import SignalImage

_ROUNDING_S: Final = 1e-9
_LATE: Final[Mapping[ProceduralState, SequenceCommand]] = {
    ProceduralState.HOLDING: SequenceCommand.STOP,
    ProceduralState.RESTARTING: SequenceCommand.HOLD,
    ProceduralState.STOPPING: SequenceCommand.ABORT,
    ProceduralState.ABORTING: SequenceCommand.DONE,
}
"""What a transient state that does not end in time commands."""


class Procedure:
    """``state``, the name of the ``step`` (blank in none), seconds in each, and the ``reason`` of the last change of state."""

    def __init__(self, sequence: StepSequence, image: SignalImage) -> None:
        self.sequence = sequence
        self.state = ProceduralState.IDLE
        self.step = ""
        self.step_s = 0.0
        """s that the step has run, holds left out."""
        self.state_s = 0.0
        self.reason = ""
        self._image = image
        self._step_at, self._state_at, self._command_at = (image.position(signal.name) for signal in sequence.declares)
        self._start_when = _all_of(sequence.start_when, image)
        self._steps = {step.name: _RunningStep(step, image) for step in sequence.steps}
        self._reactions = {
            ProceduralState.HOLDING: _RunningReaction(sequence.holding, image),
            ProceduralState.RESTARTING: _RunningReaction(sequence.restarting, image),
            ProceduralState.STOPPING: _RunningReaction(sequence.stopping, image),
            ProceduralState.ABORTING: _RunningReaction(sequence.aborting, image),
        }
        self._own_holding = {step.name: _RunningReaction(step.holding, image) for step in sequence.steps if step.holding is not None}

    def command(self, command: SequenceCommand, reason: str = "commanded") -> bool:
        """False if the state does not allow it, or a permissive of the start is missing; then nothing changes."""
        after = TRANSITIONS.get((self.state, command))
        if after is None or command is SequenceCommand.DONE:
            return False
        if command is SequenceCommand.START and not self._start_when():
            return False
        self._enter(after, reason)
        return True

    def scan(self, dt: float) -> None:
        image = self._image
        wanted = SequenceCommand(round(image.value(self._command_at)))
        if wanted is not SequenceCommand.NONE:
            self.command(wanted, f"{self.sequence.command_tag} was {wanted.name.lower()}")
            image.write(self._command_at, 0.0)
        self.state_s += dt
        if self.state is ProceduralState.RUNNING:
            self._run(dt)
        elif self.state is ProceduralState.HELD:
            self._reaction().give(dt)
        elif self.state in _LATE:
            self._react(dt)
        image.write(self._step_at, float(self._steps[self.step].step.number) if self.step else 0.0)
        image.write(self._state_at, float(self.state))

    def _run(self, dt: float) -> None:
        step = self._steps[self.step]
        self.step_s += dt
        to = step.look(dt, self.step_s)
        if to == COMPLETE:
            self._enter(ProceduralState.COMPLETE, f"{self.step} is done")
        elif to:
            self._go_to(to)
            self._steps[self.step].give(0.0)
        elif self.step_s >= step.step.timeout_s - _ROUNDING_S:
            self.command(step.step.on_timeout, f"{self.step} has not ended in {step.step.timeout_s:g} s")
        else:
            step.give(dt)

    def _react(self, dt: float) -> None:
        reaction = self._reaction()
        reaction.give(dt)
        if reaction.is_done():
            self._enter(TRANSITIONS[self.state, SequenceCommand.DONE], self.reason)
        elif self.state_s >= reaction.timeout_s - _ROUNDING_S:
            self._enter(TRANSITIONS[self.state, _LATE[self.state]], f"{self.state.name} has not ended in {reaction.timeout_s:g} s")

    def _reaction(self) -> "_RunningReaction":
        state = ProceduralState.HOLDING if self.state is ProceduralState.HELD else self.state
        own = self._own_holding.get(self.step) if state is ProceduralState.HOLDING else None
        return own or self._reactions[state]

    def _enter(self, state: ProceduralState, reason: str) -> None:
        before, self.state, self.state_s, self.reason = self.state, state, 0.0, reason
        if state is ProceduralState.RUNNING:
            held_in = self._steps[self.step].step.resume if before is ProceduralState.RESTARTING else self.sequence.steps[0].name
            if held_in:
                self._go_to(held_in)
        elif state in {ProceduralState.IDLE, ProceduralState.STOPPED, ProceduralState.ABORTED, ProceduralState.COMPLETE}:
            self.step = ""

    def _go_to(self, step: str) -> None:
        self.step, self.step_s = step, 0.0
        self._steps[step].begin()


class _Output:
    """What a step or a reaction gives."""

    def __init__(self, sets: Mapping[str, float], ramps: tuple[Ramp, ...], image: SignalImage) -> None:
        self._image = image
        self._sets = [(image.position(name), image.signals[image.position(name)].check("set", value)) for name, value in sets.items()]
        self._ramps = [(image.position(ramp.tag), image.signals[image.position(ramp.tag)].check("ramped", ramp.target), ramp.per_minute) for ramp in ramps]

    def give(self, dt: float) -> None:
        image = self._image
        for position, value in self._sets:
            image.write(position, value)
        for position, target, per_minute in self._ramps:
            now = image.value(position)
            way = per_minute * dt / 60.0
            image.write(position, min(now + way, target) if now < target else max(now - way, target))


class _RunningStep:
    def __init__(self, step: Step, image: SignalImage) -> None:
        self.step = step
        self._output = _Output(step.sets, step.ramps, image)
        self._transitions = [(transition, _all_of(transition.when, image)) for transition in step.transitions]
        self._held_s = [-1.0] * len(step.transitions)
        """s for which the conditions of each transition have held; negative while they do not."""

    def begin(self) -> None:
        self._held_s = [-1.0] * len(self._held_s)

    def give(self, dt: float) -> None:
        self._output.give(dt)

    def look(self, dt: float, step_s: float) -> str:
        """Step to go to, or blank."""
        chosen = ""
        for number, (transition, holds) in enumerate(self._transitions):
            if not holds():
                self._held_s[number] = -1.0
                continue
            self._held_s[number] = 0.0 if self._held_s[number] < 0.0 else self._held_s[number] + dt
            is_met = self._held_s[number] >= transition.for_s - _ROUNDING_S and step_s >= transition.after_s - _ROUNDING_S
            chosen = chosen or (transition.to if is_met else "")
        return chosen


class _RunningReaction:
    def __init__(self, reaction: Reaction, image: SignalImage) -> None:
        self.timeout_s = reaction.timeout_s
        self.is_done = _all_of(reaction.until, image)
        self._output = _Output(reaction.sets, reaction.ramps, image)

    def give(self, dt: float) -> None:
        self._output.give(dt)


def _all_of(conditions: tuple[Condition, ...], image: SignalImage) -> Callable[[], bool]:
    """A signal that is Bad meets no condition: a sequence waits, or times out."""
    bound = [condition.bind(image, when_bad=False) for condition in conditions]
    return lambda: all(holds() for holds in bound)
