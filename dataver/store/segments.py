"""The live segments of a remote: where each object lies, by name.

A few names are found in a segment by interpolation, in one ranged read; where those reads would add
up to half of it, or it is small, the whole segment is read and kept.  Local copies are disposable.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence, Set

from dataver.errors import FormatError, MissingObjectError
from dataver.formats import segment, segment_window
from dataver.formats.layout import segment_key
from dataver.formats.segment import Head, PackRef, Place, SegmentRef
from dataver.model.names import ObjectName, StructureId
from dataver.store.bucket import Bucket, KeyMissingError, get_all
from dataver.store.local import LocalCopies
from dataver.store.segment_reading import lost_segment, search_by_windows
from dataver.store.segment_search import WholeSegment

_SMALL_ROWS = 16_384
"""1 MiB: cheaper to read at once than in two requests."""
_BATCH = 1 << 16
"""Names searched at once: what is held beside them stays a few megabytes."""
_PART_SIZE = 32 * 1024 * 1024


class Segments:
    """The segments that are live now, searched as one."""

    def __init__(self, bucket: Bucket, local: LocalCopies, jobs: int = 8) -> None:
        self._bucket, self._local, self._jobs = bucket, local, jobs
        self._live: tuple[SegmentRef, ...] = ()
        self._heads: dict[SegmentRef, Head] = {}
        self._whole: dict[SegmentRef, WholeSegment] = {}
        self._asked: dict[SegmentRef, int] = {}

    @property
    def live(self) -> tuple[SegmentRef, ...]:
        """The segments searched, largest first: most names are found in the first."""
        return self._live

    def set_live(self, live: Iterable[SegmentRef]) -> None:
        """Search *live* from now on, and forget copies of all others."""
        ordered = sorted(set(live), key=lambda ref: (-ref.rows, ref.segment_id))
        self._live = tuple(ref for ref in ordered if ref.rows)
        kept = set(self._live)
        self._heads = {ref: head for ref, head in self._heads.items() if ref in kept}
        self._whole = {ref: whole for ref, whole in self._whole.items() if ref in kept}

    def sweep(self) -> None:
        """Drop local copies of segments that are not live."""
        digits = [ref.segment_id.hex() for ref in self._live]
        self._local.keep_only(
            "segment-", {f"segment-{d}" for d in digits} | {f"segment-{d}.head" for d in digits}
        )

    def keep(self, ref: SegmentRef, data: bytes) -> None:
        """Keep a copy of a segment that was just written."""
        self._local.write(f"segment-{ref.segment_id.hex()}", [data])

    def packs(self) -> dict[StructureId, int]:
        """Return every pack that a live segment names, with its size in bytes."""
        self._load_heads(self._live)
        return {pack.pack_id: pack.size for ref in self._live for pack in self._heads[ref].packs}

    def packs_of(self, ref: SegmentRef) -> tuple[PackRef, ...]:
        """Return the packs of one live segment."""
        self._load_heads([ref])
        return self._heads[ref].packs

    def packs_if_readable(self, ref: SegmentRef) -> tuple[PackRef, ...] | None:
        """Return the packs of a segment that need not be live; None when it is gone or damaged."""
        try:
            return self.packs_of(ref)
        except (MissingObjectError, FormatError):
            return None

    def find(
        self, names: Collection[ObjectName], without: Set[bytes] = frozenset()
    ) -> dict[ObjectName, Place]:
        """Return where objects lie, of those that are in a live segment.

        Packs in *without* count as not there.  Memory grows with *names*: ask for some ten
        thousand at a time.  Raises: FormatError, UnsupportedError, RemoteError.
        """
        found: dict[ObjectName, Place] = {}

        def take(
            whole: WholeSegment, asked: Sequence[ObjectName], positions: list[int], rows: list[int]
        ) -> None:
            for position, row in zip(positions, rows, strict=True):
                found[asked[position]] = whole.place(row)

        rest = self._search_whole(list(dict.fromkeys(names)), without, take)
        found.update(self._search_remotely(rest, without))
        return found

    def expect(self, count: int) -> None:
        """Say that about *count* names are asked for soon: a few by windows first would be for nothing."""
        for ref in self._live:
            self._asked[ref] = self._asked.get(ref, 0) + count

    def absent(
        self, names: Sequence[ObjectName], without: Set[bytes] = frozenset()
    ) -> tuple[list[ObjectName], dict[StructureId, int]]:
        """Return the *names* that no live segment holds, in their order, and the packs that hold the others.

        Takes little memory beside the names, however many they are.
        """
        used: dict[StructureId, int] = {}

        def take(
            whole: WholeSegment, asked: Sequence[ObjectName], positions: list[int], rows: list[int]
        ) -> None:
            used.update(whole.head.packs[ordinal] for ordinal in whole.ordinals(rows))

        rest: list[ObjectName] = []
        for start in range(0, len(names), _BATCH):
            rest += self._search_whole(names[start : start + _BATCH], without, take)
        if not rest:
            return [], used
        sizes = self.packs()
        elsewhere = dict(self._search_remotely(list(dict.fromkeys(rest)), without))
        used.update((place.pack_id, sizes[place.pack_id]) for place in elsewhere.values())
        return [name for name in rest if name not in elsewhere], used

    def copy_of(self, ref: SegmentRef) -> bytes | None:
        """Return this clone's copy of a live segment, None where there is no sound one."""
        data = self._local.read(f"segment-{ref.segment_id.hex()}")
        return bytes(data) if data is not None and segment.segment_id(data) == ref.segment_id else None

    def rows_of(self, ref: SegmentRef) -> tuple[Head, memoryview]:
        """Return a live segment's head and all its rows, reading it where there is no copy."""
        whole = self._loaded(ref) or self._read_whole(ref)
        return whole.head, whole.rows

    # -- whole segments ---------------------------------------------------------------------------

    def _search_whole(
        self,
        names: Sequence[ObjectName],
        without: Set[bytes],
        take: Callable[[WholeSegment, Sequence[ObjectName], list[int], list[int]], None],
    ) -> Sequence[ObjectName]:
        """Search the segments that are here or worth reading; return the names that remain."""
        for ref in self._live:
            if not names:
                break
            whole = self._loaded(ref)
            if whole is None:
                if not self._pays_whole(ref, len(names)):
                    continue
                whole = self._read_whole(ref)
            packs = whole.head.packs
            excluded = {n for n, pack in enumerate(packs) if pack.pack_id in without} if without else set()
            positions, rows = whole.search(names, excluded)
            if not positions:
                continue
            take(whole, names, positions, rows)
            if len(positions) == len(names):
                return []
            gone = bytearray(len(names))
            for position in positions:
                gone[position] = 1
            names = [name for name, is_gone in zip(names, gone, strict=True) if not is_gone]
        return names

    def _pays_whole(self, ref: SegmentRef, count: int) -> bool:
        """Tell whether to read all of a segment of which *count* more names are asked.

        It pays when the windows of all that was asked of it so far would be half of its rows.
        """
        asked = self._asked[ref] = self._asked.get(ref, 0) + count
        return ref.rows <= _SMALL_ROWS or asked * 2 * segment_window.window_rows(ref.rows) >= ref.rows

    def _loaded(self, ref: SegmentRef) -> WholeSegment | None:
        whole = self._whole.get(ref)
        if whole is None:
            data = self._local.read(f"segment-{ref.segment_id.hex()}")
            if data is None:
                return None
            try:
                head, rows = segment.decode_segment(data, ref)
            except FormatError:
                self._local.remove(f"segment-{ref.segment_id.hex()}")
                return None
            whole = self._hold(ref, head, rows)
        return whole

    def _hold(self, ref: SegmentRef, head: Head, rows: memoryview) -> WholeSegment:
        self._heads[ref] = head
        whole = self._whole[ref] = WholeSegment(head, rows)
        return whole

    def _read_whole(self, ref: SegmentRef) -> WholeSegment:
        """Read a segment from the remote, check all of it, keep a copy."""
        name = f"segment-{ref.segment_id.hex()}"
        self._local.remove(f"{name}.head")
        if ref.rows * segment.ROW_SIZE > _PART_SIZE:
            # A large one goes to the disk part by part, and is mapped from there.
            self._local.write(name, self._parts(ref))
            whole = self._loaded(ref)
            if whole is not None:
                segment.check_rows(whole.head, whole.rows)
                return whole
        data = b"".join(self._parts(ref))
        if segment.segment_id(data) != ref.segment_id:
            data = b"".join(self._parts(ref))  # once more what arrived damaged
        head, rows = segment.decode_segment(data, ref)
        segment.check_rows(head, rows)
        self._local.write(name, [data])
        return self._hold(ref, head, rows)

    def _parts(self, ref: SegmentRef) -> Iterator[bytes]:
        key = segment_key(ref.segment_id)
        size = segment.size_limit_of_head(ref.packs) + ref.rows * segment.ROW_SIZE
        for start in range(0, size, _PART_SIZE):
            try:
                part = self._bucket.get(key, start, min(_PART_SIZE, size - start))
            except KeyMissingError as error:
                raise lost_segment(ref) from error
            yield part
            if len(part) < _PART_SIZE:
                return

    # -- ranged reads -----------------------------------------------------------------------------

    def _load_heads(self, refs: Iterable[SegmentRef]) -> None:
        """Load the heads of *refs*, those that are not here in one batch of requests."""
        lacking = []
        for ref in refs:
            if ref in self._heads or self._loaded(ref) is not None:
                continue
            copy = self._local.read(f"segment-{ref.segment_id.hex()}.head")
            try:
                if copy is not None:
                    self._heads[ref] = segment.decode_head(copy, ref)
                    continue
            except FormatError:
                pass
            lacking.append(ref)
        small = [ref for ref in lacking if ref.rows <= _SMALL_ROWS]
        large = [ref for ref in lacking if ref.rows > _SMALL_ROWS]
        for ref in small:
            self._read_whole(ref)
        requests = [(segment_key(r.segment_id), 0, segment.size_limit_of_head(r.packs)) for r in large]
        for ref, data in zip(large, get_all(self._bucket, requests, self._jobs), strict=True):
            if isinstance(data, KeyMissingError):
                raise lost_segment(ref) from data
            head = self._heads[ref] = segment.decode_head(data, ref)
            self._local.write(f"segment-{ref.segment_id.hex()}.head", [data[: head.size]])

    def _search_remotely(
        self, names: Sequence[ObjectName], without: Set[bytes]
    ) -> Iterator[tuple[ObjectName, Place]]:
        """Yield the places of *names* in the segments of which there is no copy."""
        refs = [ref for ref in self._live if ref not in self._whole]
        if names and refs:
            self._load_heads(refs)
            heads = {ref: self._heads[ref] for ref in refs}
            yield from search_by_windows(self._bucket, heads, names, without, self._jobs)
