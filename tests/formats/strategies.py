"""Hypothesis strategies for everything that has a format."""

from __future__ import annotations

from hypothesis import strategies as st

from dataver.errors import DataverError
from dataver.formats.pointer import Pointer, size_text
from dataver.formats.recipe import MAX_CHUNK, Recipe
from dataver.hashing import BLAKE3, DIGEST_SIZES, MD5, XXH128
from dataver.model.names import Oid, check_order, check_path, oid_of_digest
from dataver.model.tree import EMPTY_FOLDER, EXECUTABLE, FILE, SYMLINK, Entry


@st.composite
def oids(draw: st.DrawFn) -> Oid:
    """An oid of any algorithm, most often blake3."""
    algorithm = draw(st.sampled_from((BLAKE3, BLAKE3, BLAKE3, XXH128, MD5)))
    size = DIGEST_SIZES[algorithm]
    return oid_of_digest(algorithm, draw(st.binary(min_size=size, max_size=size)))


def _is_path(raw: bytes) -> bool:
    try:
        check_path(raw)
    except DataverError:
        return False
    return True


_COMPONENT = st.one_of(
    st.text("abcXYZ0.-_ ", min_size=1, max_size=6).map(str.encode),
    st.text(min_size=1, max_size=6).map(lambda text: text.encode("utf-8", "replace")),
    st.binary(min_size=1, max_size=8),
)
paths = st.lists(_COMPONENT, min_size=1, max_size=3).map(b"/".join).filter(_is_path)


def _without_clashes(found: list[bytes]) -> list[bytes]:
    kept: list[bytes] = []
    for path in sorted(set(found)):
        try:
            check_order([*kept, path])
        except DataverError:
            continue
        kept.append(path)
    return kept


path_lists = st.lists(paths, min_size=1, max_size=12).map(_without_clashes)
_extras = st.none() | st.dictionaries(
    st.text("abc-", max_size=5).map(lambda name: f"x-{name}"),
    st.one_of(st.text(max_size=5), st.integers(-(1 << 63), (1 << 64) - 1), st.booleans()),
    min_size=1,
    max_size=3,
)


@st.composite
def entries(draw: st.DrawFn, path: bytes, *, extended: bool = True) -> Entry:
    """An entry at *path*."""
    kind = draw(st.sampled_from((FILE, FILE, EXECUTABLE, SYMLINK, EMPTY_FOLDER)))
    extra = draw(_extras) if extended else None
    if kind == EMPTY_FOLDER:
        return Entry(path, kind, None, 0, extra)
    most = 4096 if kind == SYMLINK else (1 << 63) - 1
    return Entry(path, kind, draw(oids()), draw(st.integers(0, most)), extra)


@st.composite
def trees(draw: st.DrawFn) -> list[Entry]:
    """The entries of one leaf: sorted, without a path that is both file and folder."""
    return [draw(entries(path)) for path in draw(path_lists)]


_note_keys = st.text("abcXYZ019_-", min_size=1, max_size=8)
pointers = st.builds(
    Pointer,
    root_id=st.binary(min_size=32, max_size=32),
    is_folder=st.booleans(),
    files=st.integers(0, (1 << 63) - 1),
    size_text=st.integers(0, (1 << 63) - 1).map(size_text),
    note=st.dictionaries(
        _note_keys, st.text(st.characters(exclude_categories=["Cs"]), max_size=20), max_size=4
    ),
)


@st.composite
def recipes(draw: st.DrawFn) -> Recipe:
    """A recipe of one algorithm."""
    algorithm = draw(st.sampled_from((BLAKE3, XXH128, MD5)))
    size = DIGEST_SIZES[algorithm]
    chunk = st.tuples(
        st.binary(min_size=size, max_size=size).map(lambda raw: oid_of_digest(algorithm, raw)),
        st.integers(1, MAX_CHUNK),
    )
    chunks = tuple(draw(st.lists(chunk, min_size=1, max_size=8)))
    return Recipe(sum(length for _, length in chunks), chunks)
