"""How many requests run at once, found out by what the other side bears."""

from __future__ import annotations

import threading
from types import TracebackType


class Gate:
    """Lets a number of threads through at once: fewer when told so, slowly more while all goes well.

    Additive increase, multiplicative decrease, as in TCP (RFC 5681).
    """

    def __init__(self, most: int) -> None:
        """Let *most* through until `narrow` is called."""
        self._most = float(max(1, most))
        self._limit = self._most
        self._inside = 0
        self._changed = threading.Condition()

    @property
    def limit(self) -> int:
        """How many may be inside now."""
        return int(self._limit)

    def __enter__(self) -> Gate:
        with self._changed:
            self._changed.wait_for(lambda: self._inside < int(self._limit))
            self._inside += 1
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._changed:
            self._inside -= 1
            self._changed.notify()

    def widen(self) -> None:
        """Say that one went well: after as many as the limit is, one more is let through."""
        with self._changed:
            self._limit = min(self._most, self._limit + 1 / self._limit)
            self._changed.notify()

    def narrow(self) -> None:
        """Say that the other side is too busy: half as many are let through."""
        with self._changed:
            self._limit = max(1.0, self._limit / 2)
