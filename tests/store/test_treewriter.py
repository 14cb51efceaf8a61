"""Saving trees: whatever way a tree came about, the same entries give the same id."""

from __future__ import annotations

import os

from hypothesis import given
from hypothesis import strategies as st

from dataver.formats.tree import leaf_key
from dataver.hashing import BLAKE3, Buffer, digest
from dataver.model.names import ObjectName, oid_of_digest
from dataver.model.tree import FILE, Entry, is_boundary
from dataver.store.trees import EMPTY_ROOT_ID, Trees
from dataver.store.treewriter import save, update


class Objects(dict[ObjectName, bytes]):
    """A store of objects in a dictionary."""

    def add(self, name: ObjectName, data: Buffer) -> None:
        self[name] = bytes(data)

    def read(self, name: ObjectName) -> Buffer:
        return self[name]


def _key_of(encoded: list[bytes]) -> bytes:
    return leaf_key(bytes(32), encoded)


def _entry(path: bytes, content: bytes = b"x") -> Entry:
    return Entry(path, FILE, oid_of_digest(BLAKE3, digest(BLAKE3, content)), len(content))


_BOUNDARIES = [name for n in range(20_000) if is_boundary(name := b"f%06d" % n)]
_NEAR = sorted({b"f%06d" % (int(b[1:]) + step) for b in _BOUNDARIES[:6] for step in (-1, 0, 1, 2)})
paths = st.sampled_from(_NEAR)
changes = st.dictionaries(paths, st.sampled_from([None, b"x", b"y"]), max_size=12)


@given(st.sets(paths), changes)
def test_an_updated_tree_is_the_tree_saved_anew(start: set[bytes], change: dict[bytes, bytes | None]) -> None:
    store = Objects()
    old = save([_entry(p) for p in sorted(start)], store, _key_of)
    entries = {p: _entry(p) for p in start}
    for path, content in change.items():
        if content is None:
            entries.pop(path, None)
        else:
            entries[path] = _entry(path, content)

    listed = [(p, None if c is None else _entry(p, c)) for p, c in sorted(change.items())]
    updated = update(Trees(store), old, listed, store, _key_of)

    assert updated == save([entries[p] for p in sorted(entries)], store, _key_of)
    assert [e.path for e in Trees(store).entries(updated)] == sorted(entries)


@given(st.sets(paths, min_size=1), changes)
def test_with_random_keys_a_leaf_that_shows_the_same_keeps_its_id(
    start: set[bytes], change: dict[bytes, bytes | None]
) -> None:
    store = Objects()
    old = save([_entry(p) for p in sorted(start)], store, _drawn)
    listed = [(p, None if c is None else _entry(p, c)) for p, c in sorted(change.items())]

    updated = update(Trees(store), old, listed, store, _drawn)

    before, after = _views(store, old), _views(store, updated)
    assert {view: before[view] for view in before.keys() & after.keys()} == {
        view: after[view] for view in before.keys() & after.keys()
    }


def _drawn(encoded: list[bytes]) -> bytes:
    return os.urandom(32)


def _views(store: Objects, root_id: bytes) -> dict[tuple[Entry, ...], bytes]:
    """Return what each leaf of a tree shows, with its id."""
    trees = Trees(store)
    return {tuple(trees.leaf(ref).view): ref.leaf_id for ref in trees.root(root_id).leaves}


def test_an_empty_tree_has_its_fixed_id() -> None:
    store = Objects()
    old = save([_entry(b"a")], store, _key_of)

    assert save([], store, _key_of) == EMPTY_ROOT_ID
    assert update(Trees(store), old, [(b"a", None)], store, _key_of) == EMPTY_ROOT_ID


def test_no_change_keeps_every_leaf_whatever_its_key() -> None:
    store = Objects()
    old = save([_entry(p) for p in _NEAR], store, lambda encoded: bytes(32))

    assert update(Trees(store), old, [], store, _key_of) == old
    assert update(Trees(store), old, [(_NEAR[0], _entry(_NEAR[0]))], store, _key_of) == old
