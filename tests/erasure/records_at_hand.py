"""Erasure records for tests, written to the journal of a project's remote without a plan or approval."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from dataver.formats.erasure import (
    DENY,
    TAG_ENTRY,
    TAG_OID,
    Record,
    deny_id,
    encode_record,
    encode_signed,
    entry_data,
    erasure_name,
)
from dataver.hashing import BLAKE3, digest
from dataver.model.names import Oid, oid_of_digest
from dataver.repo import Repo
from dataver.store.journal import Draft


def oid_of(content: bytes | str) -> Oid:
    """Give the id of a file's content."""
    raw = content.encode() if isinstance(content, str) else content
    return oid_of_digest(BLAKE3, digest(BLAKE3, raw))


def append(top: Path, record: Record, *, remote: str | None = None) -> str:
    """Append an unsigned *record* to the journal of a remote of the project at *top*; give its name.

    Nothing is obeyed here by this: only what a later command reads is.
    """
    with Repo.open(str(top)) as repo:
        place = repo.remote(remote)
        place.refresh()
        draft = Draft(record.kind, "purge", os.urandom(16).hex(), repo.repo_id, body_of(record))
        with place.begin("purge", repo.repo_id) as session:
            session._parts.journal.append(draft, time_s=int(repo.clock.now_s()), overtaken=lambda _: draft)
    return erasure_name(record.uid)


def body_of(record: Record) -> bytes:
    """Give a journal entry's body for *record*, unsigned."""
    return encode_signed(encode_record(record))


def deny_record(
    top: Path,
    contents: Iterable[bytes | str] = (),
    entries: Iterable[tuple[bytes, bytes | str]] = (),
    *,
    redact: Mapping[bytes, tuple[bytes, ...]] | None = None,
    uid: bytes = b"",
) -> Record:
    """Give a record that denies *contents* everywhere, and each (path in a tree, content) of *entries*."""
    with Repo.open(str(top)) as repo:
        secret = repo.secret
        assert secret is not None
    ids = {deny_id(secret.deny_key, TAG_OID, oid_of(content)) for content in contents}
    ids |= {
        deny_id(secret.deny_key, TAG_ENTRY, entry_data(path, oid_of(content))) for path, content in entries
    }
    return Record(kind=DENY, uid=uid or os.urandom(16), deny=tuple(sorted(ids)), redact=dict(redact or {}))


def deny(
    top: Path,
    *contents: bytes | str,
    entries: Iterable[tuple[bytes, bytes | str]] = (),
    redact: Mapping[bytes, tuple[bytes, ...]] | None = None,
    remote: str | None = None,
) -> str:
    """Publish a record that denies *contents* (and *entries*); give the erasure's name, like E-1f3a9c2e."""
    return append(top, deny_record(top, contents, entries, redact=redact), remote=remote)
