"""What breaks a simulated machine, and when: one switch that its disk and its remote share."""

from __future__ import annotations

import errno
from dataclasses import dataclass

DISK_FAULTS = ("crash", "enospc", "full", "eio")
"""The machine stops; one call finds no room; every one from then on; one call fails in the hardware."""

REMOTE_FAULTS = (
    *("cut-before", "cut-after", "lost-before", "lost-after"),
    *("throttled", "truncated", "flipped", "slow", "outage"),
)
"""The machine stops before or after a request took effect; the connection is lost before or after;
SlowDown; a body that ends early; one wrong bit; an hour without an answer; no answer from then on."""

_NEEDS_NO_ROOM = frozenset(("unlink", "rmdir", "sync", "sync_folder", "sync_filesystem", "chmod", "utime"))


class Crash(BaseException):
    """The machine or the process is gone."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong in a command."""

    kind: str
    """Of `DISK_FAULTS` or `REMOTE_FAULTS`."""
    at: int
    """At which call of that side, counted from 0 within the command."""
    seed: int = 0
    """Decides what the kind leaves open: where a body ends, which bit is wrong, what a crash leaves."""


class Power:
    """Counts the calls that change a disk or ask a remote, and breaks those that a test names."""

    def __init__(self) -> None:
        self.steps: list[str] = []
        """The disk's calls since `arm`, by name."""
        self.requests = 0
        """The remote's since then."""
        self.is_off = False
        self.fault: Fault | None = None
        self.has_struck = False
        """Whether the fault happened since then."""
        self.fail_once: dict[str, OSError] = {}
        """Name of a disk's call -> what its next one raises."""

    def arm(self, fault: Fault | None = None) -> None:
        """Begin a command, in which *fault* happens."""
        self.steps, self.requests = [], 0
        self.fault, self.has_struck = fault, False

    def restore(self) -> None:
        """Switch the machine on again."""
        self.is_off = False
        self.fault = None

    def stop(self) -> None:
        """Let nothing happen from now on.  Raises: Crash."""
        self.is_off = True
        raise Crash

    def disk_step(self, name: str) -> None:
        """Count a call that changes the disk.  Raises: Crash, OSError."""
        if self.is_off:
            raise Crash
        number = len(self.steps)
        self.steps.append(name)
        if name in self.fail_once:
            raise self.fail_once.pop(name)
        fault = self.fault
        if fault is None or fault.kind not in DISK_FAULTS or number < fault.at:
            return
        if fault.kind == "full" or number == fault.at:
            if fault.kind == "crash":
                self.has_struck = True
                self.stop()
            if fault.kind == "eio":
                self.has_struck = True
                raise OSError(errno.EIO, "input/output error")
            if name not in _NEEDS_NO_ROOM:
                self.has_struck = True
                raise OSError(errno.ENOSPC, "no space left on device")

    def remote_step(self) -> str:
        """Count a request; return what goes wrong with it, or nothing.  Raises: Crash."""
        if self.is_off:
            raise Crash
        number = self.requests
        self.requests += 1
        fault = self.fault
        if fault is None or fault.kind not in REMOTE_FAULTS:
            return ""
        if number == fault.at or (fault.kind == "outage" and number > fault.at):
            self.has_struck = True
            return fault.kind
        return ""
