"""The state machine on the simulated disk, remote and clock, with whole commands in this process."""

from __future__ import annotations

import os

from hypothesis import settings

from tests.simulation.machine import Users
from tests.simulation.world import Machine, World

_EXAMPLES = 200


class Simulated(Users):
    def make(self, seed: int) -> Machine:
        return World(seed)


TestSimulated = Simulated.TestCase
TestSimulated.settings = settings(
    max_examples=_EXAMPLES if os.environ.get("HYPOTHESIS_PROFILE", "dataver") == "dataver" else 5000,
    stateful_step_count=20,
)
