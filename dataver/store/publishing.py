"""An erasure record on its way into a remote's journal: once, whoever else appends meanwhile."""

from __future__ import annotations

from collections.abc import Callable

from dataver.store.journal import Draft, Record
from dataver.store.leases import Lease
from dataver.store.push import Parts


class _AlreadyThere(Exception):
    def __init__(self, seq: int) -> None:
        self.seq = seq


def publish(parts: Parts, draft: Draft, is_there: Callable[[Record], bool]) -> int:
    """Append *draft* unless one of the journal's records *is_there*; return the number of its entry.

    Raises: RemoteError, RemoteStateError, LockTimeoutError.
    """
    lease = Lease(parts.bucket, parts.clock, draft.writer)
    try:
        if parts.has_one_writer:
            lease.take_writer_lock()
        parts.journal.refresh(thoroughly=True)

        def looked_again(_: object = None) -> Draft:
            for record in parts.journal.records():
                if is_there(record):
                    raise _AlreadyThere(record.seq)
            return draft

        looked_again()
        entry = parts.journal.append(draft, time_s=lease.store_time_s(), overtaken=looked_again)
        return entry.seq
    except _AlreadyThere as found:
        return found.seq
    finally:
        parts.segments.set_live(parts.journal.state.segments)
        lease.release()
