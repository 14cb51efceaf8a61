"""Whether content is denied or held, and whether a record may act without a question."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from dataver.erasure.records import ErasureState
from dataver.formats.erasure import (
    DENY_ID_SIZE,
    TAG_ENTRY,
    TAG_OID,
    entry_data,
    erasure_name,
    hold_name,
)
from dataver.formats.keys import Secret
from dataver.hashing import ALGORITHM_NAMES, digest, keyer
from dataver.model.names import Oid, oid_of_digest

FREE_REMOVALS = 16
"""So many objects a record may remove whatever their share: small clones need no question."""

# Everybody has empty files: they tell nothing and are never denied.
EMPTY_OIDS = frozenset(oid_of_digest(code, digest(code, b"")) for code in ALGORITHM_NAMES)


def is_denied(state: ErasureState, secret: Secret, oid: Oid) -> bool:
    """Tell whether the content *oid* was erased and must not come back."""
    return bool(denier(state, secret)(oid))


def is_held(state: ErasureState, secret: Secret, oid: Oid) -> bool:
    """Tell whether the content *oid* is under a hold: kept, but not delivered."""
    return bool(_matcher(state.held, secret)(oid))


def denied_entry(state: ErasureState, secret: Secret, path: bytes, oid: Oid) -> str:
    """Return the erasure, like `E-1f3a9c2e`, that denies *oid* everywhere or at *path*; else empty."""
    return entry_denier(state, secret)(path, oid)


def entry_denier(state: ErasureState, secret: Secret) -> Callable[[bytes, Oid], str]:
    """Return a function that does what `denied_entry` does, for loops: the key is derived once."""
    ids = state.denied
    if not ids:
        return lambda path, oid: ""
    id_of = keyer(secret.deny_key, DENY_ID_SIZE)

    # Asked of every file that is added or pushed: what `denier` does is done here, without a call.
    def match(path: bytes, oid: Oid) -> str:
        uid = ids.get(id_of(TAG_OID + oid))
        if uid and oid not in EMPTY_OIDS:
            return erasure_name(uid)
        uid = ids.get(id_of(TAG_ENTRY + entry_data(path, oid)))
        return erasure_name(uid) if uid else ""

    return match


def entry_withholder(state: ErasureState, secret: Secret) -> Callable[[bytes, Oid], str]:
    """Return a function that gives the erasure, or the hold like `H-1f3a9c2e`, for which content at a
    path is not delivered, or nothing."""
    denied, held = entry_denier(state, secret), _matcher(state.held, secret, hold_name)
    return lambda path, oid: denied(path, oid) or held(oid)


def withholder(state: ErasureState, secret: Secret) -> Callable[[Oid], str]:
    """Return a function that gives the erasure or hold for which an oid is not delivered, or nothing."""
    denied, held = denier(state, secret), _matcher(state.held, secret, hold_name)
    return lambda oid: denied(oid) or held(oid)


def denier(state: ErasureState, secret: Secret) -> Callable[[Oid], str]:
    """Return a function that gives the erasure that denies an oid, or the empty string.

    For loops: the key is derived once, and without denied content nothing is hashed.
    """
    return _matcher(state.denied, secret)


def _matcher(
    ids: Mapping[bytes, bytes], secret: Secret, name_of: Callable[[bytes], str] = erasure_name
) -> Callable[[Oid], str]:
    if not ids:
        return lambda oid: ""
    id_of = keyer(secret.deny_key, DENY_ID_SIZE)

    def match(oid: Oid) -> str:
        uid = ids.get(id_of(TAG_OID + oid))
        return name_of(uid) if uid and oid not in EMPTY_OIDS else ""

    return match


class Question(NamedTuple):
    """What must be answered with yes before records are obeyed here."""

    removes: int
    """Objects that this clone holds and the records remove."""
    holds: int
    """Objects that this clone holds."""
    max_auto_percent: int

    @property
    def text(self) -> str:
        return (
            f"erasure records would remove {self.removes:,} of the {self.holds:,} objects in the cache, "
            f"more than purge.max_auto ({self.max_auto_percent} %)"
        )


def question_before(removes: int, holds: int, max_auto_percent: int) -> Question | None:
    """Return the question to ask before *removes* of *holds* objects are removed; None: go on."""
    if removes <= FREE_REMOVALS or removes * 100 <= holds * max_auto_percent:
        return None
    return Question(removes, holds, max_auto_percent)
