"""What every verb answers at least; the verbs' own results build on it."""

from __future__ import annotations

from dataclasses import dataclass, field

from dataver.errors import Failure, exit_status_of


@dataclass(frozen=True, slots=True)
class Result:
    """What every verb answers."""

    failed: tuple[Failure, ...] = field(default=(), kw_only=True)
    warnings: tuple[Failure, ...] = field(default=(), kw_only=True)
    """Things to know that do not make the exit status other than 0, such as erased files."""

    @property
    def exit_status(self) -> int:
        """0 when all of it was done."""
        return exit_status_of(self.failed)
