"""`hold`: content under a legal claim is kept and not delivered, until the hold is released."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from types import MappingProxyType

from dataver.errors import NoSuchPathError, PurgeRefusedError, UsageError
from dataver.formats.erasure import (
    HOLD,
    RELEASE,
    TAG_OID,
    Record,
    deny_id,
    encode_record,
    encode_signed,
    hold_name,
)
from dataver.model.purging import HoldInfo, HoldResult
from dataver.ops.purge_asking import Asked, check_asked, seek, selectable_of
from dataver.ops.purge_choosing import choose
from dataver.ops.purge_looking import date_of
from dataver.ops.purge_naming import hold_uid_of
from dataver.ops.purge_places import Place, open_places
from dataver.ops.purge_publish import publish_record, replicate
from dataver.ops.purge_sign import SigningKeys, signatures_for
from dataver.ops.purge_versions import Reader, find_versions
from dataver.progress import SILENT, Progress
from dataver.repo import Repo
from dataver.workspace.paths import PathLike

_HINT = "dataver hold list"


def hold_add(
    repo: Repo,
    *,
    paths: Sequence[PathLike] = (),
    oids: Sequence[str] = (),
    files: Sequence[PathLike] = (),
    subjects: Sequence[str] = (),
    due: str = "",
    ticket: str = "",
    signing_key: SigningKeys = (),
    progress: Progress = SILENT,
) -> HoldResult:
    """Hold the contents of what is selected, in every version: kept, but delivered to nobody.

    Selected as by `purge_plan`.  *due* is when somebody shall look at it again.

    Raises: UsageError, NoSuchPathError, SignatureRefusedError, PurgeRefusedError.
    """
    asked = Asked(tuple(paths), tuple(oids), tuple(files), tuple(subjects))
    check_asked(asked, due)
    places = _all_ready(repo)
    secret = repo.secret
    if secret is None:
        raise UsageError("this clone has no repository secret yet", hint="dataver push")
    remotes = [place.remote for place in places if place.remote is not None]
    with repo.cache_lock(shared=True, progress=progress):
        versions = find_versions(repo, remotes, progress=progress)
        reader = Reader(repo, remotes)
        sought = seek(repo, asked, versions, reader, remotes)
        wanted = replace(sought.wanted, tables={})  # a table is held whole
        chosen = choose(versions, reader, wanted, selectable_of(repo, asked, versions))
    key = secret.deny_key
    ids = tuple(sorted(deny_id(key, TAG_OID, oid) for oid in chosen.sizes))
    if not ids:
        raise NoSuchPathError(b"", what="nothing with content in any version matches what was selected")
    info = {"ticket": ticket[:1000]} if ticket else {}
    record = Record(HOLD, os.urandom(16), deny=ids, due=due, info=MappingProxyType(info))
    _publish(repo, places, record, signing_key)
    return _result(repo, hold_name(record.uid))


def hold_list(repo: Repo) -> HoldResult:
    """Return the holds in force."""
    return _result(repo, "")


def hold_release(repo: Repo, hold: str, *, signing_key: SigningKeys = ()) -> HoldResult:
    """End a hold: what it kept is delivered again, and may be erased.

    Raises: UnknownErasureError, SignatureRefusedError, PurgeRefusedError.
    """
    places = _all_ready(repo)
    uid = hold_uid_of(repo, hold)
    if uid not in _in_force(repo):
        raise UsageError(f"{hold} is released already", hint=_HINT)
    record = Record(RELEASE, os.urandom(16), of=uid)
    _publish(repo, places, record, signing_key)
    return _result(repo, hold_name(uid))


def _all_ready(repo: Repo) -> list[Place]:
    """Return all remotes; a hold that one of them does not know would be none.

    Raises: PurgeRefusedError, UsageError.
    """
    places = open_places(repo)
    if not places:
        raise UsageError("a hold needs a remote for its record", hint="dataver remote add NAME URL")
    for place in places:
        if place.remote is None:
            why = place.error.message if place.error is not None else ""
            raise PurgeRefusedError(f"remote {place.name} cannot be reached ({why})", hint=_HINT)
    return places


def _publish(repo: Repo, places: Sequence[Place], record: Record, signing_key: SigningKeys) -> None:
    body = encode_record(record)
    signatures = signatures_for(repo, body, "", signing_key, hint="dataver hold --help")
    for place in places:
        replicate(repo, place)
        publish_record(repo, place, record, encode_signed(body, signatures))


def _in_force(repo: Repo) -> dict[bytes, HoldInfo]:
    """Return the holds that nobody released, by uid."""
    state = repo.erasures
    released = {record.of for record in state.records.values() if record.kind == RELEASE}
    return {
        uid: HoldInfo(
            hold_name(uid),
            date_of(state.times[uid]),
            record.due,
            len(record.deny),
            record.info.get("ticket", ""),
        )
        for uid, record in state.records.items()
        if record.kind == HOLD and uid not in released
    }


def _result(repo: Repo, changed: str) -> HoldResult:
    return HoldResult(tuple(_in_force(repo).values()), changed)
