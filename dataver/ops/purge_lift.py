"""`purge lift`: consent was given again, so that the content of an erasure may come back."""

from __future__ import annotations

import os

from dataver.errors import PurgeRefusedError, UsageError
from dataver.formats.erasure import LIFT, Record, encode_record, encode_signed
from dataver.model.purging import PurgeShowResult
from dataver.ops.anchoring import stage_anchors
from dataver.ops.purge_naming import uid_of
from dataver.ops.purge_places import open_places, remotes_of
from dataver.ops.purge_publish import publish_record, replicate
from dataver.ops.purge_report import bare_report
from dataver.ops.purge_sign import SigningKeys, signatures_for
from dataver.repo import Repo


def purge_lift(repo: Repo, erasure: str, *, signing_key: SigningKeys = ()) -> PurgeShowResult:
    """Let the content of *erasure* be added again; what was erased from old versions stays erased.

    Asks for the approvals of an erasure, on all remotes at once.  Raises: UnknownErasureError, UsageError,
    SignatureRefusedError, PurgeRefusedError where a remote cannot be reached.
    """
    places = open_places(repo)
    uid = uid_of(repo, erasure)
    if repo.erasures.erasures[uid].is_lifted:
        raise UsageError(f"{erasure} is lifted already", hint="dataver purge list")
    for place in places:
        if place.remote is None:
            raise PurgeRefusedError(f"remote {place.name} cannot be reached", hint="dataver remote list")
    record = Record(LIFT, os.urandom(16), of=uid)
    body = encode_record(record)
    hint = f"dataver purge lift {erasure} --signing-key FILE, for each approval"
    signatures = signatures_for(repo, body, "", signing_key, hint=hint)
    for place in places:
        replicate(repo, place)
        publish_record(repo, place, record, encode_signed(body, signatures))
    stage_anchors(repo, remotes_of(places))
    return PurgeShowResult(bare_report(repo, uid), "")
