"""What an erasure touches of a store: contents by their ids, leaves entry by entry, roots by leaves.

Pure: decides from bytes in memory.  Caches and remotes are rewritten by what this says.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import NamedTuple

from dataver.erasure.deny import denier, entry_denier
from dataver.erasure.records import ErasureState
from dataver.formats.keys import Secret
from dataver.formats.redaction import Erased, redact
from dataver.formats.tree import Leaf, Substitute, encode_leaf
from dataver.model.names import BLOB, RECIPE, ObjectName, Oid, oid_of_name
from dataver.model.tree import Entry, Root


class Redaction(NamedTuple):
    """What becomes of one leaf."""

    data: bytes
    """Its new stored bytes."""
    unrecorded: frozenset[bytes]
    """Commitments that it loses and that no record names yet: someone has to tell of them."""
    gone: frozenset[bytes]
    """All commitments that this copy loses."""


class Examiner:
    """Tells of objects whether the records of *state* let them stay as they are."""

    def __init__(self, state: ErasureState, secret: Secret | None) -> None:
        """Without a *secret* only what records name by commitment is known."""
        self._state, self._secret = state, secret
        self._of: Callable[[Oid], str] = lambda oid: ""
        self._at: Callable[[bytes, Oid], str] = lambda path, oid: ""
        self._last: tuple[Leaf, frozenset[bytes]] | None = None
        """The leaf that `denied_in` was asked about last, and what it said: `redacted` asks again."""
        if secret is not None:
            self._of, self._at = denier(state, secret), entry_denier(state, secret)

    @property
    def is_idle(self) -> bool:
        """Whether nothing at all is denied or erased."""
        return not (self._state.denied or self._state.erased)

    def content(self, oid: Oid) -> str:
        """Return the erasure that denies *oid* everywhere; empty for none."""
        return self._of(oid)

    def entry(self, path: bytes, oid: Oid) -> str:
        """Return the erasure that denies *oid* everywhere or at *path* of a tree; empty for none."""
        return self._at(path, oid)

    def is_gone(self, name: ObjectName) -> bool:
        """Tell whether a blob or recipe must not exist anywhere."""
        return name[0] in (BLOB, RECIPE) and bool(self._of(oid_of_name(name)))

    def denied_in(self, leaf: Leaf) -> frozenset[bytes]:
        """Return the commitments of the entries that *leaf* shows and must not."""
        last = self._last
        if last is None or last[0] is not leaf:
            last = self._last = leaf, self._denied_in(leaf)
        return last[1]

    def _denied_in(self, leaf: Leaf) -> frozenset[bytes]:
        erased = self._state.erased
        found = {c for c in leaf.commitments if c in erased.entries or c in erased.substitutes}
        if self._state.denied:
            for entry, commitment in zip(leaf.entries, leaf.commitments, strict=True):
                if entry.oid is not None and self.entry(entry.path, entry.oid):
                    found.add(commitment)
            for substitute in leaf.substitutes:
                oid = substitute.entry.oid
                if oid is not None and self.entry(substitute.entry.path, oid):
                    found.add(substitute.commitment)
        return frozenset(found)

    def is_replaced(self, commitment: bytes) -> bool:
        """Tell whether records put another entry in the place of the one with *commitment*."""
        erased = self._state.erased
        passed: set[bytes] = set()
        while commitment in erased.substitutes and not (commitment in erased.entries or commitment in passed):
            passed.add(commitment)
            commitment = erased.substitutes[commitment]
        return bool(passed) and commitment not in erased.entries

    def redacted(self, leaf: Leaf, known: Collection[Substitute] = ()) -> Redaction | None:
        """Return what becomes of *leaf*; None where it stays as it is.

        *known* are substitutes that another copy of the leaf holds.  Raises: FormatError for a
        stub that no record names.
        """
        erased = self._state.erased
        gone = self.denied_in(leaf)
        unrecorded = gone - erased.entries - erased.substitutes.keys()
        seen = redact(
            leaf, Erased(erased.entries | unrecorded, erased.substitutes, erased.told), tuple(known)
        )
        if seen is leaf:
            return None
        return Redaction(encode_leaf(seen), unrecorded - erased.told, gone)

    def lacks_substitute(self, leaf: Leaf, seen: Leaf) -> bool:
        """Tell whether *seen*, the redacted *leaf*, lacks an entry that by the records something replaces."""
        erased = self._state.erased
        standing = {substitute.commitment for substitute in seen.substitutes}
        return any(
            c in erased.substitutes and c not in erased.entries and c not in standing
            for c in (*leaf.commitments, *(s.commitment for s in leaf.substitutes))
        )


def shown_entries(leaf: Leaf) -> Iterator[tuple[Entry, bytes]]:
    """Yield the entries that *leaf* shows, with the commitment by which each is erased."""
    yield from zip(leaf.entries, leaf.commitments, strict=True)
    for substitute in leaf.substitutes:
        yield substitute.entry, substitute.commitment


def first_shown(leaf: Leaf) -> bytes:
    """Return the path of the first entry that *leaf* shows; empty for none."""
    view = leaf.view
    return view[0].path if view else b""


def telling_guide(root: Root, firsts: Mapping[bytes, bytes]) -> bool:
    """Tell whether the guide of *root* may hold the beginning of a name that a leaf shows no more.

    *firsts* gives for each redacted leaf the path of the first entry that it still shows, empty for
    none: a separator that begins that path tells nothing else.
    """
    if not firsts:
        return False
    return any(
        mark and not firsts[ref.leaf_id].startswith(mark)
        for ref, mark in zip(root.leaves, root.guide, strict=False)
        if ref.leaf_id in firsts
    )
