"""`add` over erased entries: a leaf whose view did not change is kept, stubs and all."""

from __future__ import annotations

from dataver.formats.redaction import Erased
from dataver.model.results import AddResult
from dataver.ops.add import add
from dataver.store.trees import Trees
from tests.workspace.sandbox import Sandbox


def _add_with(box: Sandbox, erased: Erased) -> AddResult:
    with box.repo() as repo:
        repo.trees = Trees(repo.cache, erased)
        return add(repo, ["data"])


def _erased(box: Sandbox, path: bytes) -> Erased:
    with box.repo() as repo:
        root = repo.trees.root(box.pointer().root_id)
        for ref in root.leaves:
            leaf = repo.trees.leaf(ref)
            for entry, commitment in zip(leaf.entries, leaf.commitments, strict=True):
                if entry.path == path:
                    return Erased(frozenset({commitment}), {})
    raise AssertionError(path)


def test_with_an_erased_file_gone_nothing_changes(box: Sandbox) -> None:
    erased = _erased(box, b"b.txt")
    (box.top / "data/b.txt").unlink()
    before = box.read("data.dv")

    result = _add_with(box, erased)

    assert result.targets[0].is_unchanged
    assert box.read("data.dv") == before


def test_a_change_in_its_leaf_leaves_no_stub_behind(box: Sandbox) -> None:
    erased = _erased(box, b"b.txt")
    (box.top / "data/b.txt").unlink()
    box.write({"data/a.txt": "changed"})

    result = _add_with(box, erased)

    assert (result.targets[0].modified, result.targets[0].deleted) == (1, 0)
    assert "b.txt" not in box.entries()
    assert box.pointer().files == 5


def test_without_a_record_an_erased_file_is_not_absent(box: Sandbox) -> None:
    erased = _erased(box, b"b.txt")
    (box.top / "data/b.txt").unlink()
    box.record_file().unlink()

    result = _add_with(box, erased)

    assert result.targets[0].is_unchanged
    assert b"missing" not in box.record_file().read_bytes()
