"""`purge run`, `resume` and `sweep`: what a plan says, done on every remote and here.

The order is the promise: what stands in the way is found before anything is changed; the record is published
on every remote before anything is erased anywhere, so that nobody brings back what was just taken away; this
clone comes after the remotes, since it is where the work is done from.  Each step may be repeated, and none
needs the plan once the record stands in a journal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from dataver.erasure.examine import Examiner
from dataver.erasure.plan import Plan, drop_plan, load_plan, plans
from dataver.erasure.records import ErasureState
from dataver.erasure.remote_purge import Purged, purge_remote
from dataver.erasure.touched import packs_touched
from dataver.errors import (
    Failure,
    HeldError,
    PurgeRefusedError,
    RemoteError,
    UsageError,
)
from dataver.formats.erasure import encode_record, encode_signed
from dataver.formats.keys import Secret
from dataver.formats.layout import pack_key
from dataver.formats.redaction import Erased
from dataver.model.purging import PurgeRunResult
from dataver.ops.acknowledging import acknowledge
from dataver.ops.anchoring import stage_anchors
from dataver.ops.exchange import ends_of
from dataver.ops.obeying import Obeyed, obey_here
from dataver.ops.purge_close import close_if_done
from dataver.ops.purge_naming import uid_of
from dataver.ops.purge_places import Place, open_places, refuse_obstacles, remotes_of
from dataver.ops.purge_plan import basis_of
from dataver.ops.purge_publish import check_agrees, publish_record, record_time_s, replicate
from dataver.ops.purge_report import failures_of, report_of
from dataver.ops.purge_sign import SigningKeys, signatures_for
from dataver.ops.purge_versions import find_datasets
from dataver.progress import SILENT, Progress
from dataver.repo import Repo
from dataver.transfer.connect import drop_records_aside
from dataver.transfer.send import OvertakenError, Writer, send_contents

_TRIES = 5


def purge_run(
    repo: Repo,
    plan: str,
    *,
    signing_key: SigningKeys = (),
    accept_unverifiable: bool = False,
    progress: Progress = SILENT,
) -> PurgeRunResult:
    """Erase what the plan with the digest *plan* names, from every remote and from here.

    A right, hold or lock that stands in the way on any remote refuses all of it before the first change; a
    remote that cannot be reached is left pending, and so is one with writers from before the record.

    Raises: UsageError for no such plan, or one that does not fit the repository any more; HeldError,
    PurgeRefusedError, SignatureRefusedError: then nothing was changed.
    """
    found = load_plan(repo.common_folder, plan)
    places = open_places(repo, found.remotes)
    if not places:
        raise UsageError("an erasure needs a remote for its records", hint="dataver remote add NAME URL")
    secret = _secret(repo)
    if basis_of(find_datasets(repo)) != found.basis:
        raise UsageError("there are other versions than when this was planned", hint="dataver purge plan")
    _check_not_held(repo, found)
    check_agrees(found.record, repo.erasures.erased.substitutes)
    _preflight(places, found, secret, accept_unverifiable=accept_unverifiable)
    body = encode_record(found.record)
    hint = f"dataver purge approve {found.digest[:12]} --signing-key FILE"
    signatures = signatures_for(repo, body, found.digest, signing_key, hint=hint)
    ready = [place for place in places if place.is_ready]
    if not ready:
        raise PurgeRefusedError(f"no remote can be reached: {places[0].name} ({places[0].url})")
    for place in ready:
        _send_tables(repo, place, found, progress)
    for place in ready:
        publish_record(repo, place, found.record, encode_signed(body, signatures))
    return _carry_on(repo, found.record.uid, places, found, signing_key=signing_key, progress=progress)


def purge_resume(
    repo: Repo,
    erasure: str,
    *,
    signing_key: SigningKeys = (),
    accept_unverifiable: bool = False,
    progress: Progress = SILENT,
) -> PurgeRunResult:
    """Go on with an erasure that was begun, from any clone: the records say all that is needed.

    Raises: UnknownErasureError; PurgeRefusedError, HeldError where something stands in the way on a remote.
    """
    places = open_places(repo)
    uid = uid_of(repo, erasure)
    secret = _secret(repo)
    _preflight(places, None, secret, accept_unverifiable=accept_unverifiable, state=repo.erasures)
    return _carry_on(repo, uid, places, None, signing_key=signing_key, progress=progress)


def purge_sweep(
    repo: Repo,
    erasure: str,
    *,
    restored: Sequence[str] = (),
    signing_key: SigningKeys = (),
    accept_unverifiable: bool = False,
    progress: Progress = SILENT,
) -> PurgeRunResult:
    """Apply an erasure again everywhere, closed or not: after a backup was restored, or a remote was added.

    *restored* are names of remotes that came back from a backup, so that their journals end before what
    was seen of them: the records that they lack are published there again.

    Raises: what `purge_resume` raises.
    """
    uid = uid_of(repo, erasure)
    places = open_places(repo, restored=restored)
    _preflight(places, None, _secret(repo), accept_unverifiable=accept_unverifiable, state=repo.erasures)
    return _carry_on(repo, uid, places, None, signing_key=signing_key, progress=progress, restored=restored)


def _send_tables(repo: Repo, place: Place, plan: Plan, progress: Progress) -> None:
    """Send what takes the place of tables, before a record names it."""
    entries = [one.entry for subs in plan.substitutes.values() for one in subs]
    if not entries or place.remote is None:
        return
    with repo.cache_lock(shared=True, progress=progress):
        for number in range(_TRIES):
            try:
                writer = Writer(repo.clone_id, repo.repo_id)
                send_contents(ends_of(repo, place.remote, None), entries, writer, progress=progress)
                return
            except OvertakenError:
                if number == _TRIES - 1:
                    raise
                place.remote.refresh()
                repo.obey(place.remote)


def _secret(repo: Repo) -> Secret:
    secret = repo.secret
    if secret is None:
        raise UsageError("this clone has no repository secret yet", hint="dataver fetch")
    return secret


def _check_not_held(repo: Repo, plan: Plan) -> None:
    """Raises: HeldError where content of the plan came under a hold."""
    held = [uid for one in plan.record.deny if (uid := repo.erasures.held.get(one))]
    if held:
        raise HeldError(f"{len(held)} of the contents are under a hold", hint="dataver hold list")


def _preflight(
    places: Sequence[Place],
    plan: Plan | None,
    secret: Secret,
    *,
    accept_unverifiable: bool,
    state: ErasureState | None = None,
) -> None:
    """Raises: HeldError, PurgeRefusedError for what stands in the way on any remote."""
    if plan is not None:
        record = plan.record
        gone = frozenset(c for cs in record.redact.values() for c in cs)
        state = ErasureState(
            erased=Erased(gone, dict(record.substitute)), denied=dict.fromkeys(record.deny, record.uid)
        )
        leaves = set(record.redact)
    else:
        assert state is not None
        leaves = {leaf for record in state.records.values() for leaf in record.redact}
    examiner = Examiner(state, secret)
    keys = {
        place.name: list(map(pack_key, packs_touched(place.remote, examiner, leaves)))
        for place in places
        if place.remote is not None
    }
    refuse_obstacles(places, keys, accept_unverifiable=accept_unverifiable)


@dataclass(slots=True)
class _Progress:
    """How far one run came."""

    purged: dict[str, Purged] = field(default_factory=dict)
    failed: list[Failure] = field(default_factory=list)
    obeyed: Obeyed = field(default_factory=Obeyed)


def _carry_on(
    repo: Repo,
    uid: bytes,
    places: Sequence[Place],
    plan: Plan | None,
    *,
    signing_key: SigningKeys,
    progress: Progress,
    restored: Sequence[str] = (),
) -> PurgeRunResult:
    """Bring every remote and this clone to where the erasure is done, as far as that goes now."""
    done = _Progress()
    for place in places:
        if place.is_ready:
            _purge_place(repo, place, plan, done, progress)
    done.obeyed = obey_here(repo, progress=progress, force=True, again=True)
    done.failed += done.obeyed.failed
    if not done.failed:
        _drop_plans(repo)
    for place in places:
        if place.name in done.purged and place.remote is not None:
            drop_records_aside(place.remote, repo.common_folder, repo.disk)
    anew = {place.remote.remote_id for place in places if place.name in restored and place.remote}
    staged = (stage_anchors(repo, remotes_of(places), anew),)
    for remote in remotes_of(places) if not done.obeyed.failed else ():
        acknowledge(repo, remote, has_moved=True)
    report = report_of(repo, uid, places, done.purged, obeyed=done.obeyed, progress=progress)
    done.failed += failures_of(report)
    receipt = ""
    warnings: tuple[Failure, ...] = ()
    if not done.failed:
        report, receipt, warnings = close_if_done(repo, uid, places, report, signing_key=signing_key)
        if receipt:
            staged = (stage_anchors(repo, remotes_of(places)),)
    return PurgeRunResult(
        report,
        files=len(done.obeyed.files),
        objects=done.obeyed.objects,
        receipt=receipt,
        staged=staged,
        failed=tuple(done.failed),
        warnings=warnings,
    )


def _purge_place(repo: Repo, place: Place, plan: Plan | None, done: _Progress, progress: Progress) -> None:
    """Publish what a remote lacks of the records, and erase there what they deny."""
    assert place.remote is not None
    assert place.eraser is not None
    try:
        replicate(repo, place)
        since_s = record_time_s(place, repo.erasures.erasures)
        found = purge_remote(
            place.remote,
            place.eraser,
            Examiner(repo.erasures, _secret(repo)),
            writer=(repo.clone_id, repo.repo_id),
            since_s=since_s,
            known=plan.substitutes if plan is not None else None,
            progress=progress,
        )
        repo.obey(place.remote)
    except RemoteError as error:
        place.error = error
        done.failed.append(error.failure())
        return
    done.purged[place.name] = found
    done.failed += found.failed


def _drop_plans(repo: Repo) -> None:
    """Forget the plans whose tables every remote has by now; the others went when this clone obeyed."""
    for digest in plans(repo.common_folder):
        if load_plan(repo.common_folder, digest).record.uid in repo.erasures.records:
            drop_plan(repo.common_folder, digest, repo.disk)
