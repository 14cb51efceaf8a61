"""Small trees over few paths and contents, so that two of them often meet."""

from __future__ import annotations

from hypothesis import strategies as st

from dataver.errors import DataverError
from dataver.model.names import check_order
from dataver.model.tree import EMPTY_FOLDER, EXECUTABLE, FILE, SYMLINK, Entry
from tests.formats.samples import file

PATHS = (b"a", b"a/x", b"a/x/y", b"a/y", b"a-b", b"b", b"b/x", b"c", b"d")
CONTENTS = (b"", b"1", b"22", b"333")


@st.composite
def small_trees(draw: st.DrawFn) -> list[Entry]:
    """Sorted entries without a path that is both file and folder."""
    tree: list[Entry] = []
    for path in sorted(draw(st.sets(st.sampled_from(PATHS)))):
        try:
            check_order([*(entry.path for entry in tree), path])
        except DataverError:
            continue
        kind = draw(st.sampled_from((FILE, FILE, FILE, EXECUTABLE, SYMLINK, EMPTY_FOLDER)))
        if kind == EMPTY_FOLDER:
            tree.append(Entry(path, kind, None, 0))
        else:
            tree.append(file(path, draw(st.sampled_from(CONTENTS)), kind))
    return tree
