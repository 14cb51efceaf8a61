"""`add` under a subject rule: keys that nobody can compute, and ids that stay while the data stays."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from dataver.errors import ConfigError
from dataver.formats.tree import encode_entry, leaf_key
from dataver.model.names import leaf_name
from dataver.model.tree import is_boundary
from dataver.ops.add import add
from dataver.store.cache_writer import CacheWriter
from tests.workspace.sandbox import Sandbox, new_sandbox

RULES = 'version = 1\n[[rule]]\ntarget = "data"\npath = "users/{subject}/**"\n'
_STARTS = sorted(name for n in range(20_000) if is_boundary(name := b"users/u%05d/x" % n))[:3]
_PLAIN = next(name for n in range(20_000) if is_boundary(name := b"a%05d" % n))
FILES: Mapping[str, str] = {
    **{f"data/{name.decode()}": name.decode() for name in (*_STARTS, _PLAIN)},
    "data/0": "first",
    "data/users/u99999/z": "last",
}
"""Files that are cut into leaves: two of plain files, then three under the rule."""


@pytest.fixture
def box(tmp_path: Path, isolated_machine: Path) -> Sandbox:
    return new_sandbox(tmp_path / "work", FILES)


def _rule(box: Sandbox, text: str = RULES) -> None:
    box.write({".dataver/subjects.toml": text})


def _computed(box: Sandbox) -> list[bool]:
    """Tell of each leaf of the pointer's tree whether its key can be computed from its entries."""
    with box.repo() as repo:
        assert repo.secret is not None
        leaves = [repo.trees.leaf(ref) for ref in repo.trees.root(box.pointer().root_id).leaves]
        return [
            leaf.key == leaf_key(repo.secret.tree_key, map(encode_entry, leaf.entries)) for leaf in leaves
        ]


def _leaf_ids(box: Sandbox) -> list[bytes]:
    with box.repo() as repo:
        return [ref.leaf_id for ref in repo.trees.root(box.pointer().root_id).leaves]


def test_leaves_with_an_entry_under_a_rule_get_random_keys_and_others_do_not(
    tmp_path: Path, isolated_machine: Path
) -> None:
    box = new_sandbox(tmp_path / "work")
    _rule(box)
    box.write(FILES)

    box.record("data")

    assert _computed(box) == [True, True, False, False, False]


def test_under_a_rule_adding_twice_gives_the_same_pointer(box: Sandbox) -> None:
    _rule(box)
    box.record("data")
    before = box.read("data.dv")

    result = box.add("data")

    assert box.read("data.dv") == before
    assert result.targets[0].is_unchanged


def test_a_new_rule_keys_anew_what_it_covers_and_keeps_the_rest(box: Sandbox) -> None:
    before, plain = _leaf_ids(box), _computed(box)
    _rule(box)

    box.record("data")

    after = _leaf_ids(box)
    assert plain == [True] * 5
    assert _computed(box) == [True, True, False, False, False]
    assert (after[:2] == before[:2], set(after[2:]) & set(before)) == (True, set())


def test_after_a_new_rule_nothing_differs(box: Sandbox) -> None:
    _rule(box)
    box.record("data")

    assert box.changes() == {}
    assert box.target().state == "clean"


def test_a_change_keys_anew_no_leaf_but_its_own(box: Sandbox) -> None:
    _rule(box)
    box.record("data")
    before = _leaf_ids(box)
    box.write({f"data/{_STARTS[1].decode()}": "changed"})

    box.record("data")

    same = [a == b for a, b in zip(before, _leaf_ids(box), strict=True)]
    assert same == [True, True, True, False, True]


def test_a_leaf_that_a_change_only_passes_over_keeps_its_id(box: Sandbox) -> None:
    _rule(box)
    box.record("data")
    before = _leaf_ids(box)
    # The leaf in the middle loses all it has, so its neighbours are cut together again.
    shutil.rmtree((box.top / "data" / _STARTS[1].decode()).parent)

    box.record("data")

    assert _leaf_ids(box) == [*before[:3], before[4]]


def test_a_tree_that_the_cache_lost_in_part_is_made_again_with_the_leaves_that_are_left(box: Sandbox) -> None:
    _rule(box)
    box.record("data")
    before = _leaf_ids(box)
    _lose(box, before[2])

    box.record("data")

    same = [a == b for a, b in zip(before, _leaf_ids(box), strict=True)]
    assert same == [True, True, False, True, True]


def _lose(box: Sandbox, leaf_id: bytes) -> None:
    """Write the cache's structure anew without one leaf."""
    with box.repo() as repo:
        root = box.pointer().root_id
        kept = {
            name: bytes(repo.cache.read(name))
            for name in repo.trees.structure(root)
            if name != leaf_name(leaf_id)
        }
    for pack in (box.cache / "packs").glob("s-*"):
        pack.unlink()
    with box.repo() as repo, CacheWriter(repo.cache) as writer:
        for name, data in kept.items():
            writer.add(name, data)
        writer.commit()


def test_a_rule_for_another_target_changes_nothing(box: Sandbox) -> None:
    before = box.read("data.dv")
    _rule(box, RULES.replace('"data"', '"other"'))

    box.add("data")

    assert box.read("data.dv") == before


def test_a_rule_that_went_leaves_random_keys_as_they_are(box: Sandbox) -> None:
    _rule(box)
    box.record("data")
    before = box.read("data.dv")
    (box.top / ".dataver/subjects.toml").unlink()

    box.add("data")

    assert box.read("data.dv") == before


def test_a_single_file_under_a_rule_gets_a_random_key_once(box: Sandbox) -> None:
    _rule(box, 'version = 1\n[[rule]]\ntarget = "t.csv"\nrows = "*.csv"\nkey = "id"\n')
    box.write({"t.csv": "id\nu1\n"})
    box.record("t.csv")
    before = box.read("t.csv.dv")
    with box.repo() as repo:
        assert repo.secret is not None
        leaf = repo.trees.leaf(repo.trees.root(box.pointer("t.csv").root_id).leaves[0])
        computed = leaf_key(repo.secret.tree_key, map(encode_entry, leaf.entries))

    box.add("t.csv")

    assert leaf.key != computed
    assert box.read("t.csv.dv") == before


def test_malformed_rules_stop_add_before_anything_is_recorded(box: Sandbox) -> None:
    before = box.read("data.dv")
    _rule(box, "version = 1\nrules = 1\n")
    box.write({"data/0": "changed"})

    with pytest.raises(ConfigError, match=r"subjects\.toml"):
        box.add("data")

    assert box.read("data.dv") == before


def test_a_second_add_opens_no_leaf_to_look_at_its_key(box: Sandbox) -> None:
    _rule(box)
    box.record("data")
    with box.repo() as repo:
        trees = repo.trees
        add(repo, ["data"])

        assert trees.loads <= 1
