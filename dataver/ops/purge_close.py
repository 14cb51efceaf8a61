"""`purge close`: an erasure that is shown to be done is closed, and its receipt named in the journals."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace as changed

from dataver.disk.atomic import make_folders, replace
from dataver.erasure.receipt import receipt_digest, receipt_of
from dataver.errors import Failure, SignatureRefusedError
from dataver.formats.erasure import CLOSE, Record, encode_record, encode_signed
from dataver.model.purging import ErasureReport, PurgeRunResult
from dataver.ops.anchoring import stage_anchors
from dataver.ops.purge_looking import date_of
from dataver.ops.purge_naming import uid_of
from dataver.ops.purge_places import Place, open_places, remotes_of
from dataver.ops.purge_publish import publish_record
from dataver.ops.purge_report import failures_of, receipt_path, report_of
from dataver.ops.purge_sign import SigningKeys, signatures_for
from dataver.progress import SILENT, Progress
from dataver.repo import Repo


def purge_close(
    repo: Repo, erasure: str, *, signing_key: SigningKeys = (), progress: Progress = SILENT
) -> PurgeRunResult:
    """Close *erasure* once every configured remote and this clone are shown to be free of what it takes.

    Where they are not, it stays open, and `failed` says why.  Raises: UnknownErasureError,
    SignatureRefusedError where signers are appointed and none signs.
    """
    places = open_places(repo)
    uid = uid_of(repo, erasure)
    report = report_of(repo, uid, places, {}, obeyed=None, progress=progress)
    failed = failures_of(report)
    if failed:
        return PurgeRunResult(report, failed=tuple(failed))
    report, receipt = close(repo, uid, places, report, signing_key=signing_key)
    return PurgeRunResult(report, receipt=receipt, staged=(stage_anchors(repo, remotes_of(places)),))


def close_if_done(
    repo: Repo, uid: bytes, places: Sequence[Place], report: ErasureReport, *, signing_key: SigningKeys
) -> tuple[ErasureReport, str, tuple[Failure, ...]]:
    """Close an erasure that is done, or say what that waits for; return also where the receipt lies."""
    if report.state not in ("done", "open"):
        path = receipt_path(repo, uid)
        return report, path if os.path.exists(path) else "", ()
    try:
        found, receipt = close(repo, uid, places, report, signing_key=signing_key)
    except SignatureRefusedError as error:
        hint = f"dataver purge close {report.erasure} --signing-key FILE"
        text = f"{report.erasure} is done, and to be closed by a signer ({error.why})"
        return report, "", (Failure(b"", "not-closed", text, hint, 0),)
    return found, receipt, ()


def close(
    repo: Repo, uid: bytes, places: Sequence[Place], report: ErasureReport, *, signing_key: SigningKeys
) -> tuple[ErasureReport, str]:
    """Publish the record that closes an erasure, keep its receipt here, and return both.

    The receipt lies on the disk before a record names it.  Raises: SignatureRefusedError, RemoteError.
    """
    path = receipt_path(repo, uid)
    if repo.erasures.erasures[uid].is_closed:
        return report, path if os.path.exists(path) else ""
    report = changed(report, state="closed", closed=date_of(repo.clock.now_s()))
    data = receipt_of(report)
    make_folders(repo.disk, os.path.dirname(path))
    replace(repo.disk, path, data)
    acknowledged = sum(clone.acknowledged for clone in report.clones)
    unseen = sum(place.facts is not None and place.facts.kind == "other" for place in places)
    info = {
        **({"unverifiable": f"accepted on {unseen} remotes"} if unseen else {}),
        "receipt": receipt_digest(data).hex(),
        "remotes": str(len(report.remotes)),
        "clones": f"{acknowledged} of {len(report.clones)}",
    }
    record = Record(CLOSE, os.urandom(16), of=uid, info=info)
    body = encode_record(record)
    hint = f"dataver purge close {report.erasure} --signing-key FILE"
    signatures = signatures_for(repo, body, "", signing_key, hint=hint, needed=1)
    for place in places:
        if place.is_ready:
            publish_record(repo, place, record, encode_signed(body, signatures))
    return report, path
