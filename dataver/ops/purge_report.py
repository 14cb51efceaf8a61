"""How far an erasure is: asked of the records, of every remote that answers, and of this clone."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace as changed
from typing import Literal

from dataver.disk.atomic import replace
from dataver.erasure.cache_examine import examine_cache
from dataver.erasure.examine import Examiner
from dataver.erasure.receipt import decode_receipt, receipt_digest, receipt_of
from dataver.erasure.receipt_page import page_of
from dataver.erasure.records import Erasure
from dataver.erasure.remote_purge import Purged
from dataver.erasure.signatures import fingerprint
from dataver.errors import (
    CannotSeeError,
    DataverError,
    ErasureIncompleteError,
    Failure,
    StillPresentError,
)
from dataver.formats.erasure import CLOSE, Record
from dataver.hashing import ALGORITHM_CODES
from dataver.model.purging import (
    ErasureReport,
    ErasureState,
    PurgeListResult,
    PurgeShowResult,
    PurgeVerifyResult,
)
from dataver.ops.neighbours import leaves_of_neighbours
from dataver.ops.obeying import Obeyed
from dataver.ops.purge_looking import date_of, find_clones, look_at, records_of
from dataver.ops.purge_naming import uid_of
from dataver.ops.purge_places import Place, open_places
from dataver.ops.work_trees import work_trees
from dataver.progress import SILENT, Progress
from dataver.repo import Repo
from dataver.store.trash import Trash
from dataver.workspace.erasing import holds_denied
from dataver.workspace.pointers import list_targets


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
    records = records_of(repo, uid)
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


def closing_of(repo: Repo, uid: bytes) -> Record | None:
    """Return the record that closed an erasure last; None while it is open."""
    if not repo.erasures.erasures[uid].is_closed:
        return None
    found = [r for r in records_of(repo, uid) if r.kind == CLOSE]
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
    remotes = tuple(look_at(repo, uid, place, purged.get(place.name), progress) for place in places)
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
    clones = tuple(find_clones(repo, uid, places))
    return changed(bare, state=state, remotes=remotes, clones=clones, local=local)


def _is_clean_here(repo: Repo, progress: Progress) -> bool:
    """Tell whether neither the work trees nor the cache of this clone hold anything denied."""
    denied = Examiner(repo.erasures, repo.secret).entry
    algorithm, jobs = ALGORITHM_CODES[repo.config.hash_name], repo.config.jobs
    for workspace, git, _ in work_trees(repo):
        for target in list_targets(git):
            if holds_denied(
                workspace, target.path, denied, algorithm=algorithm, jobs=jobs, progress=progress
            ):
                return False
    if not os.path.isdir(repo.cache_folder):
        return True
    with repo.cache_lock(shared=True, progress=progress):
        found = examine_cache(
            repo.cache,
            Examiner(repo.erasures, repo.secret),
            leaves={leaf for record in repo.erasures.records.values() for leaf in record.redact},
            trash=Trash(repo.cache, repo.clock).files(),
            skip=frozenset(),
            foreign=leaves_of_neighbours(repo),
            progress=progress,
        )
    return found.is_empty


def receipt_path(repo: Repo, uid: bytes) -> str:
    """Return where the receipt of an erasure lies in this clone."""
    return f"{repo.common_folder}/receipts/E-{uid[:4].hex()}.json"
