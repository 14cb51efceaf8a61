"""Erasure records on their way to every remote."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping

from dataver.errors import UsageError
from dataver.formats.erasure import Record, decode_signed
from dataver.ops.purge_places import Place
from dataver.repo import Repo
from dataver.store.journal import Draft
from dataver.store.journal import Record as JournalRecord
from dataver.transfer.connect import known_records


def publish_record(repo: Repo, place: Place, record: Record, body: bytes) -> None:
    """Append *record* (as *body*, with its signatures) to a remote's journal unless it is there; obey it.

    Raises: RemoteError, SignatureRefusedError; UsageError, see `check_agrees`.
    """
    assert place.remote is not None
    draft = Draft(record.kind, repo.clone_id, os.urandom(16).hex(), repo.repo_id, body)

    def is_there(found: JournalRecord) -> bool:
        other = decode_signed(found.body, found.kind, f"erasure record {found.seq}").record
        if other.uid != record.uid:
            check_agrees(record, other.substitute)
        return other.uid == record.uid

    place.remote.publish(draft, is_there)
    repo.obey(place.remote)


def check_agrees(record: Record, substitutes: Mapping[bytes, bytes]) -> None:
    """Raises: UsageError where *record* replaces what others replaced otherwise: no journal may hold both."""
    if any(substitutes.get(old, new) != new for old, new in record.substitute.items()):
        raise UsageError(
            "another erasure has taken rows out of these tables since this was planned",
            hint="dataver purge plan --rows TABLE --key COLUMN --subject-file FILE",
        )


def replicate(repo: Repo, place: Place) -> int:
    """Append to a remote's journal the records that other remotes have and it lacks; return how many.

    In the order in which they were first published, so that each finds what it is about before it.
    """
    assert place.remote is not None
    have = {uid_in(record) for record in place.remote.records()}
    lacking: dict[bytes, JournalRecord] = {}
    for known in known_records(repo.common_folder):
        for record in known.records:
            uid = uid_in(record)
            if uid not in have and uid not in lacking:
                lacking[uid] = record
    for uid, found in sorted(lacking.items(), key=lambda item: (item[1].time_s, item[1].seq)):
        signed = decode_signed(found.body, found.kind, f"record {uid.hex()[:8]}")
        publish_record(repo, place, signed.record, found.body)
    return len(lacking)


def uid_in(record: JournalRecord) -> bytes:
    """Return the uid of a record as a journal holds it.  Raises: FormatError, UnsupportedError."""
    return decode_signed(record.body, record.kind, f"erasure record {record.seq}").record.uid


def record_time_s(place: Place, uids: Iterable[bytes]) -> int:
    """Return when the youngest of the records *uids* came to a remote, by its clock; 0 for none."""
    assert place.remote is not None
    wanted = set(uids)
    return max((r.time_s for r in place.remote.records() if uid_in(r) in wanted), default=0)
