"""Which objects of a cache some trees need, in eight bytes each: the first of their digests.

Two names may share a mark by accident alone, and then something that nobody needs stays; what is
needed is always marked.  Leaves are read one after the other and never held.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dataver.errors import FormatError, HostileInputError, local_error
from dataver.formats.pack import ROW_SIZE, Table
from dataver.formats.redaction import NOTHING_ERASED, Erased
from dataver.formats.root import decode_root
from dataver.formats.tree import Leaf, decode_leaf
from dataver.hashing import Buffer
from dataver.model.names import ObjectName, leaf_name, root_name
from dataver.model.tree import LeafRef
from dataver.progress import SILENT, Progress
from dataver.store.cache import Cache
from dataver.store.trees import EMPTY_ROOT_ID

if TYPE_CHECKING:
    from numpy.typing import NDArray

_KEY_SIZE = 8
_KEY_AT = slice(2, 2 + _KEY_SIZE)
"""Of an object's name: a blob and its recipe, which is needed with it, share the key."""
_VECTORS_FROM = 50_000
"""Marks or rows from which importing numpy (0.1 s) pays."""
_COMPACT_FROM = 4_000_000
"""Marks put in, many of them twice, after which each is kept once."""


class NameSet:
    """A set of object names, by their keys, that only grows."""

    def __init__(self) -> None:
        self._keys = array("Q")
        self._compact_at = _COMPACT_FROM
        self._index: set[int] | NDArray[Any] | None = None

    def add(self, keys: bytes) -> None:
        """Mark names by their keys, as `key_of` gives them, one after the other."""
        self._keys.frombytes(keys)
        self._index = None
        if len(self._keys) >= self._compact_at:
            found = self._sorted()
            self._keys = array("Q")
            self._keys.frombytes(found.tobytes())
            self._compact_at = max(2 * len(self._keys), _COMPACT_FROM)

    def __contains__(self, name: object) -> bool:
        assert isinstance(name, bytes)
        key = int.from_bytes(name[_KEY_AT], sys.byteorder)
        index = self._ready(1)
        if isinstance(index, set):
            return key in index
        at = int(index.searchsorted(index.dtype.type(key)))
        return at < len(index) and int(index[at]) == key

    def rows(self, table: Table) -> bytearray:
        """Return one byte for each row of *table*: 1 where its object is marked."""
        index = self._ready(table.count)
        data = table.rows_data
        if isinstance(index, set):
            flat = bytes(data)
            starts = range(_KEY_AT.start, len(flat), ROW_SIZE)
            keys = (int.from_bytes(flat[at : at + _KEY_SIZE], sys.byteorder) for at in starts)
            return bytearray(key in index for key in keys)
        import numpy as np  # loaded already

        if not len(index):
            return bytearray(table.count)
        rows = np.frombuffer(data, dtype=np.uint8).reshape(-1, ROW_SIZE)
        asked = np.ascontiguousarray(rows[:, _KEY_AT]).view(np.uint64).reshape(-1)
        at = index.searchsorted(asked)
        at[at == len(index)] = 0
        return bytearray((index[at] == asked).astype(np.uint8).tobytes())

    def without(self, others: NameSet) -> NameSet:
        """Return the names that are not among *others*."""
        found = NameSet()
        mine, theirs = self._ready(0), others._ready(0)
        if isinstance(mine, set) and isinstance(theirs, set):
            found._keys = array("Q", mine - theirs)
            return found
        import numpy as np  # see _VECTORS_FROM

        rest = np.setdiff1d(self._sorted(), others._sorted(), assume_unique=True)
        found._keys.frombytes(rest.astype(np.uint64).tobytes())
        return found

    def _ready(self, rows: int) -> set[int] | NDArray[Any]:
        if self._index is None or (isinstance(self._index, set) and rows > _VECTORS_FROM):
            is_large = max(len(self._keys), rows) > _VECTORS_FROM
            self._index = self._sorted() if is_large else set(self._keys)
        return self._index

    def _sorted(self) -> NDArray[Any]:
        import numpy as np  # see _VECTORS_FROM

        return np.unique(np.frombuffer(self._keys, dtype=np.uint64))


def key_of(name: ObjectName) -> bytes:
    """Return what marks *name*."""
    return name[_KEY_AT]


@dataclass(slots=True)
class Marked:
    """What a walk over trees found."""

    names: NameSet = field(default_factory=NameSet)
    lost: list[ObjectName] = field(default_factory=list)
    """Roots and leaves that are not in the cache, or damaged there: what they name is not known."""


def mark(
    cache: Cache,
    roots: Iterable[bytes],
    *,
    erased: Erased = NOTHING_ERASED,
    progress: Progress = SILENT,
) -> Marked:
    """Return what the trees *roots* need of the cache: roots, leaves, and all contents that leaves show.

    Content of entries in *erased* is not needed.  Raises: UnsupportedError for a tree of a later
    version; local errors.
    """
    found = Marked()
    wanted = sorted(set(roots) - {EMPTY_ROOT_ID})
    seen: set[bytes] = set()
    with progress.task("looking at trees", total=len(wanted)) as task:
        for root_id in wanted:
            found.names.add(key_of(root_name(root_id)))
            fresh = [ref for ref in _leaves_of(cache, root_id, found) if ref.leaf_id not in seen]
            seen.update(ref.leaf_id for ref in fresh)
            for leaf in _leaves(cache, fresh, found):
                found.names.add(b"".join(_keys_of(leaf, erased)))
            task.advance()
    return found


def _leaves_of(cache: Cache, root_id: bytes, found: Marked) -> tuple[LeafRef, ...]:
    name = root_name(root_id)
    data = read_quietly(cache, name)
    try:
        if data is not None:
            return decode_root(data, root_id).leaves
    except (FormatError, HostileInputError):
        pass
    found.lost.append(name)
    return ()


def _leaves(cache: Cache, refs: Iterable[LeafRef], found: Marked) -> Iterator[Leaf]:
    for ref in refs:
        name = leaf_name(ref.leaf_id)
        found.names.add(key_of(name))
        data = read_quietly(cache, name)
        try:
            if data is not None:
                yield decode_leaf(data, ref.leaf_id, ref.count)
                continue
        except (FormatError, HostileInputError):
            pass
        found.lost.append(name)


def read_quietly(cache: Cache, name: ObjectName) -> Buffer | None:
    """Return the bytes of a root or leaf; None where it is missing or damaged, and nothing is moved."""
    place = cache.locate(name)
    if place is None:
        return None
    pack, row = place
    try:
        return pack.reader.read(row)
    except FormatError:
        return None
    except OSError as error:
        raise local_error(error, pack.path) from error


def _keys_of(leaf: Leaf, erased: Erased) -> Iterator[bytes]:
    """Yield the keys of the contents that *leaf* shows to any reader.

    Another repository's records may erase what ours do not know: what is in doubt is needed.
    """
    for entry, commitment in zip(leaf.entries, leaf.commitments, strict=True):
        if entry.oid is None or commitment in erased.entries or commitment in erased.substitutes:
            continue
        yield entry.oid[1 : 1 + _KEY_SIZE]
    for substitute in leaf.substitutes:
        if substitute.entry.oid is not None:
            yield substitute.entry.oid[1 : 1 + _KEY_SIZE]
