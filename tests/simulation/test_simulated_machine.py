"""The state machine on the simulated disk, remote and clock, with whole commands in this process."""

from __future__ import annotations

import os

from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from tests.simulation.erasing import Erasing
from tests.simulation.tally import Tally
from tests.simulation.world import Machine, World

_EXAMPLES = 200 if os.environ.get("HYPOTHESIS_PROFILE", "dataver") == "dataver" else 5000


class Simulated(Erasing):
    tally = Tally()

    def make(self, seed: int) -> Machine:
        return World(seed)


def test_what_was_pushed_is_restorable_whatever_happens_on_a_simulated_machine() -> None:
    run_state_machine_as_test(Simulated, settings=settings(max_examples=_EXAMPLES, stateful_step_count=15))

    Simulated.tally.check(examples=_EXAMPLES, least=5)
    assert Simulated.tally.worked["purge"] >= _EXAMPLES // 20, Simulated.tally.shown()
