"""The state machine on the program itself: every command a child, every crash a SIGKILL."""

from __future__ import annotations

from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from tests.simulation.program import ProgramWorld
from tests.simulation.tally import Tally
from tests.simulation.team import Team
from tests.simulation.world import Machine

_EXAMPLES = 30


class Program(Team):
    tally = Tally()
    most_restored = 1

    def make(self, seed: int) -> Machine:
        return ProgramWorld()


def test_what_was_pushed_is_restorable_whatever_happens_to_the_program() -> None:
    run_state_machine_as_test(Program, settings=settings(max_examples=_EXAMPLES, stateful_step_count=15))

    Program.tally.check(examples=_EXAMPLES, least=1, spared=4)
