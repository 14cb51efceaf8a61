"""Trees in a store: whole, changed, searched and compared."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataver.errors import MissingObjectError
from dataver.formats.redaction import Erased, redact
from dataver.formats.root import encode_root
from dataver.formats.tree import encode_leaf, leaf_key
from dataver.hashing import Buffer
from dataver.model.names import ObjectName, Oid, leaf_name, root_name
from dataver.model.tree import FILE, Entry
from dataver.store.trees import Trees
from dataver.store.treewriter import save, update

KEY = b"k" * 32


class Objects(dict[ObjectName, Buffer]):
    """The smallest store."""

    def add(self, name: ObjectName, data: Buffer) -> None:
        self[name] = bytes(data)

    def read(self, name: ObjectName) -> Buffer:
        if name not in self:
            raise MissingObjectError(name.hex())
        return self[name]


def key_of(encoded: list[bytes]) -> bytes:
    return leaf_key(KEY, encoded)


def entry(path: bytes, content: int = 0) -> Entry:
    return Entry(path, FILE, Oid(b"\x01" + content.to_bytes(32, "big")), content)


def many(count: int) -> list[Entry]:
    return [entry(b"d%03d/f%06d" % (n // 500, n), n) for n in range(count)]


@pytest.fixture
def store() -> Objects:
    return Objects()


def test_entries_come_back_in_path_order(store: Objects) -> None:
    wanted = many(5000)

    root = save(wanted, store, key_of)

    assert list(Trees(store).entries(root)) == wanted


def test_one_path_costs_one_leaf(store: Objects) -> None:
    root = save(many(20_000), store, key_of)
    trees = Trees(store)

    found = trees.find(root, b"d020/f010123")

    assert found == entry(b"d020/f010123", 10123)
    assert trees.loads == 1


def test_a_path_that_is_not_there_is_not_found(store: Objects) -> None:
    root = save(many(5000), store, key_of)

    assert Trees(store).find(root, b"d000/zzz") is None


@pytest.mark.parametrize("guide", [(), (b"zzz",), (b"", b"a", b"b")])
def test_a_lying_guide_never_hides_a_path(store: Objects, guide: tuple[bytes, ...]) -> None:
    root_id = save(many(5000), store, key_of)
    leaves = Trees(store).root(root_id).leaves
    bent = [guide[n % len(guide)] if guide else b"" for n in range(len(leaves))]
    _, store[root_name(root_id)] = encode_root(leaves, sorted(bent))

    found = Trees(store).find(root_id, b"d003/f001700")
    below = list(Trees(store).entries(root_id, b"d003/", b"d0030"))

    assert found is not None
    assert len(below) == 500


def test_a_folder_is_read_without_the_others(store: Objects) -> None:
    root = save(many(50_000), store, key_of)
    trees = Trees(store)

    below = list(trees.entries(root, b"d050/", b"d0500"))

    assert [e.path for e in below] == [e.path for e in many(50_000) if e.path.startswith(b"d050/")]
    assert trees.loads <= 5


def test_a_diff_opens_only_leaves_that_differ(store: Objects) -> None:
    wanted = many(50_000)
    old = save(wanted, store, key_of)
    wanted[30_000] = entry(wanted[30_000].path, 7)
    new = save(wanted, store, key_of)
    trees = Trees(store)

    changes = list(trees.diff(old, new))

    assert [(c.kind, c.path) for c in changes] == [("modified", wanted[30_000].path)]
    assert trees.loads == 2


def test_a_change_rebuilds_few_leaves(store: Objects) -> None:
    wanted = many(50_000)
    old = save(wanted, store, key_of)
    trees = Trees(store)
    before = len(store)

    update(trees, old, [(wanted[9000].path, entry(wanted[9000].path, 3))], store, key_of)

    assert len(store) == before + 2
    assert trees.loads <= 3


paths = st.integers(0, 3000).map(lambda n: b"f%05d" % n)


@given(
    base=st.sets(st.integers(0, 6000), max_size=20),
    bulk=st.integers(0, 6000),
    edits=st.dictionaries(st.integers(0, 9000), st.one_of(st.none(), st.integers(1, 9)), max_size=60),
)
def test_a_changed_tree_is_cut_as_if_saved_anew(
    base: set[int], bulk: int, edits: dict[int, int | None]
) -> None:
    store = Objects()
    content: dict[bytes, Entry] = {b"f%05d" % n: entry(b"f%05d" % n) for n in {*base, *range(bulk)}}
    old = save([content[p] for p in sorted(content)], store, key_of)
    changes = [
        (b"f%05d" % n, None if new is None else entry(b"f%05d" % n, new)) for n, new in sorted(edits.items())
    ]

    updated = update(Trees(store), old, changes, store, key_of)

    for path, new in changes:
        content.pop(path, None) if new is None else content.update({path: new})
    assert updated == save([content[p] for p in sorted(content)], store, key_of)
    root = Trees(store).root(updated)
    assert list(root.guide) == sorted(root.guide)


def test_limits_cut_what_no_hash_boundary_does(store: Objects, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dataver.model.tree.MAX_LEAF_ENTRIES", 100)
    wanted = many(5000)
    rng = random.Random(5)
    old = save(wanted, store, key_of)

    for _ in range(30):
        victim = rng.randrange(len(wanted))
        changed = entry(wanted[victim].path, rng.randrange(1 << 30))
        gone = wanted[(victim + 50) % len(wanted)]
        wanted[victim] = changed
        wanted.remove(gone)
        edits = sorted([(changed.path, changed), (gone.path, None)], key=lambda e: e[0])
        old = update(Trees(store), old, edits, store, key_of)

    assert old == save(wanted, store, key_of)


def test_an_unchanged_leaf_keeps_its_stubs(store: Objects) -> None:
    wanted = many(20_000)
    old = save(wanted, store, key_of)
    trees = Trees(store)
    ref = trees.root(old).leaves[5]
    victim = trees.leaf(ref)
    erased = Erased(frozenset(victim.commitments[3:5]), {})
    store[leaf_name(ref.leaf_id)] = encode_leaf(redact(victim, erased))
    far = wanted[-1].path

    new = update(Trees(store, erased), old, [(far, entry(far, 5))], store, key_of)

    assert ref in Trees(store, erased).root(new).leaves
    assert Trees(store, erased).erased_count(new) == 2


def test_a_changed_leaf_never_carries_a_stub(store: Objects) -> None:
    wanted = many(20_000)
    old = save(wanted, store, key_of)
    ref = Trees(store).root(old).leaves[5]
    victim = Trees(store).leaf(ref)
    erased = Erased(frozenset(victim.commitments[3:5]), {})
    changed = victim.entries[0].path

    new = update(Trees(store, erased), old, [(changed, entry(changed, 5))], store, key_of)

    assert Trees(store, erased).erased_count(new) == 0
    assert len(list(Trees(store).entries(new))) == len(wanted) - 2
