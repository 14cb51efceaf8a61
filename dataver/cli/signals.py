"""Ctrl-C and SIGTERM: an exception first, and an end within two seconds whatever happens.

The only module that sets signal handlers.
"""

from __future__ import annotations

import os
import signal
from types import FrameType
from typing import NoReturn

_PATIENCE_S = 1.5
"""How long cleaning up may take before the process is ended (promise 14 gives it 2 s)."""


class Interrupted(BaseException):
    """The person, or the system, told this process to stop."""

    def __init__(self, number: int) -> None:
        self.exit_status = 128 + number
        super().__init__(number)


def install() -> None:
    """Make SIGINT and SIGTERM raise `Interrupted` in the main thread, once."""
    owner = os.getpid()

    def stop(number: int, frame: FrameType | None) -> NoReturn:
        if os.getpid() != owner:
            os._exit(128 + number)  # a forked worker inherits this handler, and ends without a word

        def end(alarm: int, frame: FrameType | None) -> NoReturn:
            os._exit(128 + number)

        # A thread in a read, or a pool that waits for its workers, may hold up the way out:
        # the alarm ends the process then, and a second Ctrl-C ends it at once.
        signal.signal(signal.SIGALRM, end)
        signal.setitimer(signal.ITIMER_REAL, _PATIENCE_S)
        signal.signal(signal.SIGINT, end)
        signal.signal(signal.SIGTERM, end)
        raise Interrupted(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        # A shell starts a job in the background with SIGINT ignored; that stays so.
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, stop)
