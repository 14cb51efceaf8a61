"""Trees whose leaves are fine one by one and hostile together."""

from __future__ import annotations

import pytest

from dataver.errors import HostileInputError
from dataver.formats.root import encode_root
from dataver.hashing import Buffer
from dataver.model.names import ObjectName, leaf_name, root_name
from dataver.model.tree import SYMLINK, Entry, LeafRef
from dataver.store.trees import Trees
from tests.formats.samples import file, leaf_of


class Shelf:
    """A store of the leaves of one tree."""

    def __init__(self, *leaves: list[Entry]) -> None:
        self.objects: dict[ObjectName, bytes] = {}
        refs = []
        for entries in leaves:
            leaf_id, data = leaf_of(entries)
            self.objects[leaf_name(leaf_id)] = data
            refs.append(LeafRef(leaf_id, len(entries)))
        self.root_id, stored = encode_root(refs, [])
        self.objects[root_name(self.root_id)] = stored

    def read(self, name: ObjectName) -> Buffer:
        """Give an object's bytes."""
        return self.objects[name]


OVERLAPPING = [[file(b"b", b"")], [file(b"a", b"")]]
DOUBLED = [[file(b"a", b"1")], [file(b"a", b"2")]]
THROUGH_A_LINK = [[file(b"a", b"/tmp", SYMLINK)], [file(b"a-b", b"")], [file(b"a/b", b"")]]


@pytest.mark.parametrize(
    "leaves", [OVERLAPPING, DOUBLED, THROUGH_A_LINK], ids=["overlap", "twice", "through a link"]
)
def test_a_tree_whose_leaves_contradict_each_other_is_refused(leaves: list[list[Entry]]) -> None:
    shelf = Shelf(*leaves)

    with pytest.raises(HostileInputError):
        list(Trees(shelf).entries(shelf.root_id))


@pytest.mark.parametrize(
    "leaves", [OVERLAPPING, DOUBLED, THROUGH_A_LINK], ids=["overlap", "twice", "through a link"]
)
def test_a_diff_with_such_a_tree_is_refused(leaves: list[list[Entry]]) -> None:
    shelf = Shelf(*leaves)

    with pytest.raises(HostileInputError):
        list(Trees(shelf).diff(None, shelf.root_id))
