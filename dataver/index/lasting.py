"""A `SqliteDict` whose caller hears of a disk that fails, instead of waiting for ever.

sqlitedict works in a thread of its own.  When a commit there meets a full disk or a read error,
that thread ends with a traceback on stderr, and whoever asked waits for an answer that never
comes (seen in 2.1.0; drop this module when a release answers).  Costs what sqlitedict costs to
load, so only a writer imports it.
"""

from __future__ import annotations

import queue
import sqlite3
import sys
from collections.abc import Iterator
from typing import Any

from sqlitedict import _RESPONSE_NO_MORE, SqliteDict, SqliteMultithread

_LOOK_AGAIN_S = 0.05


class _Worker(SqliteMultithread):  # type: ignore[misc]  # sqlitedict has no types
    """The thread with the connection; its end is noticed by who waits for it."""

    def run(self) -> None:
        try:
            super().run()
        except sqlite3.Error:
            self.exception = sys.exc_info()  # raised in the caller by `check_raise_error`

    def select(self, req: str, arg: Any = None) -> Iterator[Any]:
        answers: queue.Queue[Any] = queue.Queue()
        self.execute(req, arg, answers)
        while True:
            try:
                found = answers.get(timeout=_LOOK_AGAIN_S)
            except queue.Empty:
                self.check_raise_error()
                if self.is_alive() or not answers.empty():
                    continue
                raise sqlite3.OperationalError("the connection has ended") from None
            self.check_raise_error()
            if found == _RESPONSE_NO_MORE:
                return
            yield found


class LastingDict(SqliteDict):  # type: ignore[misc]  # sqlitedict has no types
    """Values by key in one SQLite file.  Every method may raise `sqlite3.Error`."""

    def _new_conn(self) -> _Worker:
        return _Worker(
            self.filename,
            autocommit=self.autocommit,
            journal_mode=self.journal_mode,
            outer_stack=self._outer_stack,
        )
