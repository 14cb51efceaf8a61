"""How far an erasure is: asked of the records, of every remote that answers, and of this clone.

The only module that says ABSENT, and only with the level that was reached; what may not be seen is
UNKNOWN, never absent.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Literal

from dataver.disk.atomic import replace
from dataver.erasure.cache_examine import examine_cache
from dataver.erasure.eraser import Stored
from dataver.erasure.examine import Examiner
from dataver.erasure.receipt import decode_receipt, receipt_digest, receipt_of
from dataver.erasure.receipt_page import page_of
from dataver.erasure.records import Erasure
from dataver.erasure.remote_purge import Purged
from dataver.erasure.remote_work import find_work
from dataver.erasure.signatures import fingerprint
from dataver.errors import (
    AccessDeniedError,
    CannotSeeError,
    DataverError,
    ErasureIncompleteError,
    Failure,
    RemoteError,
    StillPresentError,
)
from dataver.formats.erasure import CLOSE, DENY, EXTEND, Record
from dataver.formats.layout import PACKS_PREFIX, SEGMENTS_PREFIX
from dataver.model.purging import (
    CloneReport,
    ErasureReport,
    ErasureState,
    Level,
    PurgeListResult,
    PurgeShowResult,
    PurgeVerifyResult,
    RemoteReport,
)
from dataver.ops.obeying import Obeyed
from dataver.ops.purge_naming import uid_of
from dataver.ops.purge_places import Place, open_places
from dataver.ops.purge_publish import uid_in
from dataver.progress import SILENT, Progress
from dataver.repo import Repo
from dataver.store.leases import live_leases, oldest_beginning_s
from dataver.store.trash import Trash

_NOT_ASKED = "not asked"


def purge_verify(repo: Repo, erasure: str, *, progress: Progress = SILENT) -> PurgeVerifyResult:
    """Look again at every remote, at all its versions, and here, for what *erasure* takes.

    What is there is in `failed` (21), what may not be seen too (22), and what waits for somebody (20).
    Raises: UnknownErasureError.
    """
    places = open_places(repo)
    uid = uid_of(repo, erasure)
    report = report_of(repo, uid, places, {}, obeyed=None, progress=progress)
    return PurgeVerifyResult(report, failed=tuple(failures_of(report)))


def failures_of(report: ErasureReport) -> list[Failure]:
    """Return a failure for each place where an erasure is not shown to be done."""
    found: list[DataverError] = []
    for remote in report.remotes:
        where = f"remote {remote.name}"
        if remote.state == "PRESENT":
            found.append(StillPresentError(report.erasure, where))
        elif remote.state == "UNKNOWN":
            found.append(CannotSeeError(report.erasure, where, remote.why))
        elif remote.state == "PENDING":
            found.append(ErasureIncompleteError(report.erasure, f"{where}: {remote.why}"))
        elif remote.state == "RESTRICTED":
            why = f"{where} keeps what was deleted until {remote.until}, and nobody can take it away before"
            found.append(ErasureIncompleteError(report.erasure, why))
    if report.local == "PRESENT":
        found.append(StillPresentError(report.erasure, "this clone"))
    return [error.failure() for error in found]


def purge_show(repo: Repo, erasure: str, *, page: str | None = None) -> PurgeShowResult:
    """Return what the records say of *erasure*, and its receipt; with *page* written as HTML into that file.

    Asks no remote for more than its journal and its clones.  Raises: UnknownErasureError; local errors.
    """
    uid = uid_of(repo, erasure)
    closing = closing_of(repo, uid)
    digest = closing.info.get("receipt", "") if closing is not None else ""
    report = bare_report(repo, uid)
    data = receipt_of(report)
    kept = receipt_path(repo, uid)
    if digest and os.path.exists(kept):
        with open(kept, "rb") as file:
            found = file.read()
        if receipt_digest(found).hex() == digest:
            report, data = decode_receipt(found, kept).report, found
    written = ""
    if page is not None:
        written = os.path.join(repo.cwd, page)
        replace(repo.disk, written, page_of(data, digest).encode())
    return PurgeShowResult(report, digest, written)


def purge_list(repo: Repo, *, overdue: bool = False) -> PurgeListResult:
    """Return all erasures that records here name, the oldest first; only the *overdue* ones where asked."""
    reports = [bare_report(repo, uid) for uid in repo.erasures.erasures]
    return PurgeListResult(tuple(report for report in reports if report.is_overdue or not overdue))


# -- reports ------------------------------------------------------------------------------------------


def bare_report(repo: Repo, uid: bytes) -> ErasureReport:
    """Return what the records alone say of an erasure."""
    state = repo.erasures
    erasure = state.erasures[uid]
    records = _records_of(repo, uid)
    leaves: dict[bytes, set[bytes]] = {}
    for record in records:
        for leaf, commitments in record.redact.items():
            leaves.setdefault(leaf, set()).update(commitments)
    closing = closing_of(repo, uid)
    info = dict(state.records[uid].info)
    ticket = info.pop("ticket", "")
    keys = sorted({key for record in records for key in state.signed_by.get(record.uid, ())})
    return ErasureReport(
        erasure=erasure.name,
        state=_state_of(erasure),
        date=date_of(erasure.time_s),
        due=erasure.due,
        is_overdue=_is_overdue(repo, erasure),
        ticket=ticket,
        leaves=tuple((leaf.hex(), len(cs)) for leaf, cs in sorted(leaves.items())),
        facts=tuple(sorted(info.items())),
        signed_by=tuple(map(fingerprint, keys)),
        closed=date_of(state.times[closing.uid]) if closing is not None else "",
    )


def _state_of(erasure: Erasure) -> ErasureState:
    if erasure.is_lifted:
        return "lifted"
    return "closed" if erasure.is_closed else "open"


def _is_overdue(repo: Repo, erasure: Erasure) -> bool:
    is_open = not (erasure.is_closed or erasure.is_lifted)
    return is_open and bool(erasure.due) and erasure.due < date_of(int(repo.clock.now_s()))


def date_of(time_s: float) -> str:
    """Return the date, in UTC, of a time in seconds since 1970."""
    return datetime.fromtimestamp(time_s, UTC).strftime("%Y-%m-%d")


def _records_of(repo: Repo, uid: bytes) -> list[Record]:
    return [r for r in repo.erasures.records.values() if r.uid == uid or r.of == uid]


def closing_of(repo: Repo, uid: bytes) -> Record | None:
    """Return the record that closed an erasure last; None while it is open."""
    if not repo.erasures.erasures[uid].is_closed:
        return None
    found = [r for r in _records_of(repo, uid) if r.kind == CLOSE]
    return found[-1] if found else None


def report_of(
    repo: Repo,
    uid: bytes,
    places: Sequence[Place],
    purged: Mapping[str, Purged],
    *,
    obeyed: Obeyed | None,
    progress: Progress = SILENT,
) -> ErasureReport:
    """Return how far an erasure is, looked at on each of *places* and here.

    *purged* is what was just done, by remote; *obeyed* what was just removed here, None to look.
    """
    bare = bare_report(repo, uid)
    local: Literal["ABSENT", "PRESENT"]
    remotes = tuple(_look_at(repo, uid, place, purged.get(place.name), progress) for place in places)
    if obeyed is None:
        local = "ABSENT" if _is_clean_here(repo, progress) else "PRESENT"
    else:
        local = "PRESENT" if obeyed.failed else "ABSENT"
    state: ErasureState = bare.state
    if state == "open":
        if any(remote.writers for remote in remotes):
            state = "settling"
        elif any(remote.state not in ("ABSENT", "RESTRICTED") for remote in remotes) or local != "ABSENT":
            state = "pending"
        else:
            state = "done"
    return ErasureReport(
        erasure=bare.erasure,
        state=state,
        date=bare.date,
        due=bare.due,
        is_overdue=bare.is_overdue,
        ticket=bare.ticket,
        leaves=bare.leaves,
        facts=bare.facts,
        remotes=remotes,
        clones=tuple(_clones(repo, uid, places)),
        signed_by=bare.signed_by,
        local=local,
        closed=bare.closed,
    )


def _is_clean_here(repo: Repo, progress: Progress) -> bool:
    if not os.path.isdir(repo.cache_folder):
        return True
    with repo.cache_lock(shared=True, progress=progress):
        found = examine_cache(
            repo.cache,
            Examiner(repo.erasures, repo.secret),
            leaves={leaf for record in repo.erasures.records.values() for leaf in record.redact},
            trash=Trash(repo.cache, repo.clock).files(),
            skip=frozenset(),
            progress=progress,
        )
    return found.is_empty


def _clones(repo: Repo, uid: bytes, places: Sequence[Place]) -> list[CloneReport]:
    """Return the clones that any remote knows, and whether each has applied the records."""
    found: dict[str, CloneReport] = {}
    for place in places:
        if place.remote is None:
            continue
        wanted = {record.uid for record in _records_of(repo, uid) if record.kind in (DENY, EXTEND)}
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


# -- one remote ---------------------------------------------------------------------------------------


def _look_at(repo: Repo, uid: bytes, place: Place, purged: Purged | None, progress: Progress) -> RemoteReport:
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


def receipt_path(repo: Repo, uid: bytes) -> str:
    """Return where the receipt of an erasure lies in this clone."""
    return f"{repo.common_folder}/receipts/E-{uid[:4].hex()}.json"
