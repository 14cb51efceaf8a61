"""Few, large, disposable values by key in one SQLite file: parsed config, presence in the cache.

The door to sqlitedict, whose default codec is pickle and could run code: here values are bytes
that their owner encodes.  Reading goes straight to sqlite3, since a clean `status` has no 18 ms
for sqlitedict; a file that is damaged or locked counts as empty.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3

_TABLE = "state"
_BUSY_S = 1.0


class State:
    """Values by key for one work tree."""

    def __init__(self, path: str) -> None:
        self._path = path

    def get(self, key: str) -> bytes | None:
        """Return the value of *key*, or None."""
        if not os.path.exists(self._path):
            return None
        with contextlib.suppress(sqlite3.Error):
            uri = "file:" + _quoted(self._path) + "?mode=ro"
            with contextlib.closing(sqlite3.connect(uri, uri=True, timeout=0.2)) as connection:
                row = connection.execute(f"SELECT value FROM {_TABLE} WHERE key = ?", (key,)).fetchone()
                if row is not None and isinstance(row[0], bytes):
                    return row[0]
        return None

    def put(self, key: str, value: bytes | None) -> None:
        """Keep *value* under *key*, or drop it with None; a state that cannot be kept is no error."""
        import logging  # comes with sqlitedict: only a writer pays

        from dataver.index.lasting import LastingDict  # 18 ms that only a writer pays

        # It logs with a traceback what it then raises; a state that cannot be kept is no error.
        logging.getLogger("sqlitedict").setLevel(logging.CRITICAL + 1)
        self._drop_damaged()
        for attempt in range(2):
            try:
                os.makedirs(os.path.dirname(self._path), exist_ok=True)
                with LastingDict(
                    self._path,
                    tablename=_TABLE,
                    encode=bytes,
                    decode=bytes,
                    autocommit=False,
                    timeout=_BUSY_S,
                    outer_stack=False,
                ) as values:
                    if value is None:
                        values.pop(key, None)
                    else:
                        values[key] = value
                    values.commit()
                return
            except (sqlite3.DatabaseError, OSError, RuntimeError) as error:
                if attempt or isinstance(error, sqlite3.OperationalError):
                    return
                with contextlib.suppress(OSError):  # damaged: begin anew
                    os.unlink(self._path)

    def _drop_damaged(self) -> None:
        """Remove a file that is no database: sqlitedict would say so from a thread, with a traceback."""
        if not os.path.exists(self._path):
            return
        try:
            with contextlib.closing(sqlite3.connect(self._path, timeout=0.2)) as connection:
                if connection.execute("PRAGMA quick_check(1)").fetchone() == ("ok",):
                    return
        except sqlite3.OperationalError:
            return  # locked: another process is at it
        except sqlite3.DatabaseError:
            pass
        with contextlib.suppress(OSError):
            os.unlink(self._path)


def _quoted(path: str) -> str:
    return path.replace("%", "%25").replace("?", "%3f").replace("#", "%23")
