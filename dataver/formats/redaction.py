"""What the journal says is erased, applied to a leaf: whatever copy is loaded shows the same view.

Redactions commute: the result depends on the set alone, never on their order or on which copy of
a leaf is the newest.  See docs/format.md, chapter "Trees".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from dataver.errors import FormatError
from dataver.formats.tree import Leaf, Substitute, substitute_commitment


class Erased(NamedTuple):
    """What the journal's records say is erased, by commitment."""

    entries: frozenset[bytes]
    substitutes: dict[bytes, bytes]
    """Commitment of an entry -> commitment of the entry that stands for it."""
    told: frozenset[bytes] = frozenset()
    """Commitments that a push says it left out: such a stub is no damage, but no copy that has
    the entry loses it by this, since journal entries of pushes are not signed."""

    def __bool__(self) -> bool:
        return bool(self.entries or self.substitutes or self.told)


NOTHING_ERASED = Erased(frozenset(), {})


def redact(leaf: Leaf, erased: Erased, known: Sequence[Substitute] = ()) -> Leaf:
    """Return *leaf* without what *erased* names; the same object when nothing of it is named.

    *known* are substitutes that another copy of the leaf held; they are taken when the records
    name them.  Redactions commute: the result depends on the set alone.

    Raises: FormatError for a stub or substitute that no record names: that is damage.
    """
    for stub in leaf.erased:
        if not (stub in erased.entries or stub in erased.substitutes or stub in erased.told):
            raise _unrecorded(leaf, "an entry is missing and no record erased it")
    standing: dict[bytes, Substitute] = {}
    for substitute in leaf.substitutes:
        chain = _replacements(substitute.commitment, erased)
        own = substitute_commitment(substitute)
        if substitute.commitment not in erased.entries and own not in chain:
            raise _unrecorded(leaf, "an entry is replaced and no record says so")
        if _is_last(own, substitute.commitment, chain, erased):
            standing[substitute.commitment] = substitute
    gone = {c for c in leaf.commitments if c in erased.entries or c in erased.substitutes}
    gone.update(leaf.erased)
    gone.update(s.commitment for s in leaf.substitutes)
    if not gone:
        return leaf
    for substitute in known:
        original = substitute.commitment
        own = substitute_commitment(substitute)
        if original in gone and _is_last(own, original, _replacements(original, erased), erased):
            standing[original] = substitute
    substitutes = tuple(standing[c] for c in sorted(standing))
    stubs = tuple(sorted(gone - standing.keys()))
    if not leaf.key and stubs == leaf.erased and substitutes == leaf.substitutes:
        return leaf
    kept = [n for n, c in enumerate(leaf.commitments) if c not in gone]
    return Leaf(
        leaf.leaf_id,
        b"",
        [leaf.entries[n] for n in kept],
        [leaf.commitments[n] for n in kept],
        [leaf.salts[n] for n in kept],
        substitutes,
        stubs,
    )


def _replacements(commitment: bytes, erased: Erased) -> list[bytes]:
    """Return what the records put in *commitment*'s place, one after the other: rows may go twice."""
    chain: list[bytes] = []
    after = erased.substitutes.get(commitment)
    while after is not None and after not in chain:
        chain.append(after)
        after = erased.substitutes.get(after)
    return chain


def _is_last(own: bytes, original: bytes, chain: Sequence[bytes], erased: Erased) -> bool:
    """Tell whether the entry *own* is what now stands in the place of *original*."""
    return bool(chain) and own == chain[-1] and not erased.entries.intersection((original, *chain))


def _unrecorded(leaf: Leaf, why: str) -> FormatError:
    return FormatError(f"leaf {leaf.leaf_id.hex()[:12]}", why)
