"""One remote, looked at for what an erasure takes, and the clones that it knows.

The only module that calls a remote ABSENT, and only with the level that was reached; what may not
be seen is UNKNOWN, never absent.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime

from dataver.erasure.eraser import Stored
from dataver.erasure.examine import Examiner
from dataver.erasure.remote_purge import Purged
from dataver.erasure.remote_work import find_work
from dataver.errors import AccessDeniedError, RemoteError
from dataver.formats.erasure import DENY, EXTEND, Record
from dataver.formats.layout import PACKS_PREFIX, SEGMENTS_PREFIX
from dataver.model.purging import CloneReport, Level, RemoteReport
from dataver.ops.purge_places import Place
from dataver.ops.purge_publish import uid_in
from dataver.progress import Progress
from dataver.repo import Repo
from dataver.store.leases import live_leases, oldest_beginning_s

_NOT_ASKED = "not asked"


def date_of(time_s: float) -> str:
    """Return the date, in UTC, of a time in seconds since 1970."""
    return datetime.fromtimestamp(time_s, UTC).strftime("%Y-%m-%d")


def records_of(repo: Repo, uid: bytes) -> list[Record]:
    """Return the record that began an erasure, and those about it."""
    return [r for r in repo.erasures.records.values() if r.uid == uid or r.of == uid]


def find_clones(repo: Repo, uid: bytes, places: Sequence[Place]) -> list[CloneReport]:
    """Return the clones that any remote knows, and whether each has applied the records."""
    found: dict[str, CloneReport] = {}
    for place in places:
        if place.remote is None:
            continue
        wanted = {record.uid for record in records_of(repo, uid) if record.kind in (DENY, EXTEND)}
        last = max((r.seq for r in place.remote.records() if uid_in(r) in wanted), default=0)
        try:
            clients = place.remote.clients()
        except RemoteError:
            continue
        for clone, (seq, time_s) in clients.items():
            said = CloneReport(
                clone[:8],
                clone == repo.clone_id,
                bool(last) and seq >= last,
                date_of(time_s) if time_s else "",
            )
            before = found.get(clone)
            found[clone] = said if before is None or said.acknowledged else before
    return [found[clone] for clone in sorted(found)]


def look_at(repo: Repo, uid: bytes, place: Place, purged: Purged | None, progress: Progress) -> RemoteReport:
    kind = place.facts.kind if place.facts is not None else ""
    notes = place.facts.notes if place.facts is not None else ()
    done = purged or Purged()

    def said(state: str, level: Level, why: str = "", until: str = "") -> RemoteReport:
        return RemoteReport(
            place.name,
            place.url,
            kind,
            state,  # type: ignore[arg-type]
            level,
            until=until,
            why=why,
            writers=done.writers if state == "PENDING" else (),
            entries=done.entries,
            objects=done.objects,
            packs=done.packs,
            written=done.written,
            removed=done.removed,
            notes=tuple(notes),
        )

    if place.error is not None or place.remote is None or place.eraser is None:
        return said("PENDING", "none", place.error.message if place.error is not None else _NOT_ASKED)
    if purged is not None and purged.state == "settling":
        return said("PENDING", "none", f"waiting for {len(purged.writers)} writers from before the record")
    if all(uid_in(record) != uid for record in place.remote.records()):
        return said("PRESENT", "none", "its journal does not have the record")
    try:
        bucket = place.remote.bucket
        now_s = place.remote.now_s()
        others = live_leases(bucket, now_s)
        oldest_s = oldest_beginning_s(bucket, now_s) if others else math.inf
        work = find_work(
            place.remote,
            place.eraser,
            Examiner(repo.erasures, repo.secret),
            oldest_writer_s=oldest_s,
            progress=progress,
        )
        if work.unreadable:
            return said("UNKNOWN", "keys", work.unreadable[0].message)
        if work.young:
            done.writers = others
            return said("PENDING", "versions", "a writer is at work on what cannot be judged yet")
        if not work.is_empty:
            return said("PRESENT", "versions")
        soft = [*place.eraser.soft_deleted(PACKS_PREFIX), *place.eraser.soft_deleted(SEGMENTS_PREFIX)]
        if soft and place.facts is not None:
            last_s = max(one.modified_s for one in soft) + place.facts.soft_delete_s
            return said("RESTRICTED", "soft-deleted", until=date_of(last_s))
        if done.erased and any(map(place.eraser.is_readable, _sample(done.erased))):
            return said("PRESENT", "direct")
        return said("ABSENT", "direct" if done.erased else "soft-deleted")
    except AccessDeniedError as error:
        return said("UNKNOWN", "keys", error.message)
    except RemoteError as error:
        return said("PENDING", "none", error.message)


def _sample(erased: Sequence[Stored]) -> list[Stored]:
    return list(erased[:1000])
