"""A clock that a test moves."""

from __future__ import annotations

import time

from dataver.disk.disk import Clock


class SimulatedClock(Clock):
    """The real time, set wrong: `jump` moves the wall clock, and only sleeping moves the other one.

    It runs with the real one since the times of real files do: were it to stand still, every file
    would be of the future.
    """

    __slots__ = ("ahead_s", "slept_s")

    def __init__(self) -> None:
        self.ahead_s = 0.0
        self.slept_s = 0.0

    def jump(self, seconds: float) -> None:
        """Set the wall clock forward, or back."""
        self.ahead_s += seconds

    def now_ns(self) -> int:
        return time.time_ns() + int((self.ahead_s + self.slept_s) * 1e9)

    def now_s(self) -> float:
        return time.time() + self.ahead_s + self.slept_s

    def monotonic(self) -> float:
        return time.monotonic() + self.slept_s

    def sleep(self, seconds: float) -> None:
        self.slept_s += seconds
