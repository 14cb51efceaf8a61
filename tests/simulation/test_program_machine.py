"""The state machine on the program itself: every command a child, every crash a SIGKILL."""

from __future__ import annotations

from hypothesis import settings

from tests.simulation.machine import Users
from tests.simulation.program import ProgramWorld
from tests.simulation.world import Machine


class Program(Users):
    has_clock = False

    def make(self, seed: int) -> Machine:
        return ProgramWorld()


TestProgram = Program.TestCase
TestProgram.settings = settings(max_examples=30, stateful_step_count=30)
