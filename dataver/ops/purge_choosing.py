"""Which entries of which leaves an erasure takes: found by path, by content, or by person.

The leaves are gone through twice: first for what is selected, then for the same contents where they are not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace

from dataver.erasure.deny import EMPTY_OIDS
from dataver.erasure.examine import shown_entries
from dataver.errors import DataverError
from dataver.formats.erasure import TAG_ENTRY, TAG_OID, deny_id, entry_data
from dataver.formats.keys import Secret
from dataver.formats.tree import Leaf
from dataver.model.names import Oid
from dataver.model.purging import PlannedFile, SharedContent
from dataver.model.tree import SINGLE_FILE_PATH, Entry
from dataver.ops.purge_versions import Dataset, Reader, Versions

ERASE, UNLINK = "erase", "unlink"
_UNNAMED = b"(a version that no commit here names) "
_WHICH = (_UNNAMED.rstrip(), "a single file, of which nobody can tell which it is: git fetch, and plan again")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What was asked for."""

    by_path: Callable[[bytes], bool]
    """Tells of a path from the top of the work tree whether it is selected."""
    oids: frozenset[Oid] = frozenset()
    by_rule: Callable[[Dataset, bytes], bool] = lambda dataset, path: False
    """Tells of a path inside a dataset whether a subject rule selects it by itself."""
    pairs: frozenset[tuple[bytes, Oid | None]] = frozenset()
    """(path from the top, content) of entries to which subject rules led."""
    tables: Mapping[tuple[bytes, Oid], tuple[Oid, int]] = field(default_factory=dict)
    """(path from the top, content) of tables that lose rows -> their new content and its size."""
    is_table: Callable[[bytes], bool] = lambda path: False
    """Tells of a path from the top whether rows were looked for there."""

    def takes(self, dataset: Dataset, entry: Entry) -> bool:
        """Tell whether an entry is selected."""
        shown = dataset.shown(entry.path)
        return (
            self.by_path(shown)
            or (entry.oid is not None and entry.oid in self.oids)
            or (shown, entry.oid) in self.pairs
            or self.by_rule(dataset, entry.path)
        )


@dataclass(slots=True)
class Chosen:
    """What a selection came to."""

    files: dict[bytes, PlannedFile] = field(default_factory=dict)
    """By path from the top."""
    sizes: dict[Oid, int] = field(default_factory=dict)
    """Selected contents that are not empty, with their bytes."""
    pairs: set[tuple[bytes, Oid]] = field(default_factory=set)
    """Selected (path inside the dataset, content)."""
    found: set[tuple[bytes, Oid | None]] = field(default_factory=set)
    """Selected (path from the top, content)."""
    selected: dict[bytes, set[bytes]] = field(default_factory=dict)
    """Leaf -> commitments of selected entries."""
    replaced: dict[bytes, dict[bytes, tuple[Oid, int]]] = field(default_factory=dict)
    """Leaf -> commitment of a table that loses rows -> its new content and its size."""
    shared: dict[tuple[bytes, bytes, str], SharedContent] = field(default_factory=dict)
    shared_oids: set[Oid] = field(default_factory=set)
    shared_leaves: dict[bytes, set[bytes]] = field(default_factory=dict)
    """Leaf -> commitments of entries outside of the selection that have selected contents."""
    tied: dict[bytes, bytes] = field(default_factory=dict)
    """Selected path -> path outside of the selection, both from the top, of one and the same entry:
    datasets that are alike have their leaves in common.  Nobody can take only one of them."""
    kept: set[tuple[bytes, Oid]] = field(default_factory=set)
    """Those of *pairs* that lie outside of the selection too, in another dataset."""
    datasets: set[int] = field(default_factory=set)
    """Numbers of the versions that hold any of it."""
    unnamed: int = 0
    unread: list[tuple[bytes, str]] = field(default_factory=list)
    firsts: dict[bytes, tuple[bytes, bytes]] = field(default_factory=dict)
    """Leaf that loses entries -> path of the first that it still shows then, also where those outside of the
    selection with selected contents go as well; empty for none."""
    opaque: dict[bytes, str] = field(default_factory=dict)
    """Path outside of the selection -> why nobody can tell from outside whose data it holds."""
    _named: dict[Oid, bytes] = field(default_factory=dict)

    def path_of(self, oid: Oid) -> bytes:
        """Return a selected path that has the content *oid*, once all are selected; empty for none."""
        if oid not in self._named:
            inner = [path for path, found in self.pairs if found == oid]
            self._named[oid] = next((s for s in sorted(self.files) if any(is_at(s, p) for p in inner)), b"")
        return self._named[oid]

    def firsts_by(self, choice: str) -> dict[bytes, bytes]:
        """Return leaf -> path of the first entry that it still shows, shared content gone by *choice*."""
        return {leaf: firsts[choice == ERASE] for leaf, firsts in self.firsts.items()}

    def redactions(self, choice: str) -> dict[bytes, tuple[bytes, ...]]:
        """Return leaf -> commitments that go, ascending, when shared content is treated by *choice*."""
        found = {leaf: set(cs) for leaf, cs in self.selected.items()}
        if choice == ERASE:
            for leaf, cs in self.shared_leaves.items():
                found.setdefault(leaf, set()).update(cs)
        return {leaf: tuple(sorted(cs)) for leaf, cs in sorted(found.items()) if cs}


def choose(versions: Versions, reader: Reader, wanted: Wanted, selectable: frozenset[int] | None) -> Chosen:
    """Return what *wanted* takes of *versions*, looked up in those that are *selectable*; None for all."""
    chosen = Chosen()
    for datasets, numbers, leaf in _leaves(versions, reader, chosen):
        if selectable is None or selectable.intersection(numbers):
            _select(chosen, wanted, datasets, numbers, leaf)
    if selectable is not None:
        # What was found is erased from every version.
        again = replace(wanted, by_path=_no_path, by_rule=_no_entry, pairs=frozenset(chosen.found))
        for datasets, numbers, leaf in _leaves(versions, reader, chosen):
            if not selectable.intersection(numbers):
                _select(chosen, again, datasets, numbers, leaf)
        wanted = again
    targets = tuple({(d.target, d.is_folder): d._replace(root_id=b"") for d in versions.datasets}.values())
    for leaf in reader.unnamed(versions.unnamed):
        _select_unnamed(chosen, wanted, targets, leaf)
    for datasets, _, leaf in _leaves(versions, reader, chosen):
        _note_shared(chosen, datasets, leaf)
        _note_first(chosen, leaf)
        _note_opaque(chosen, datasets[-1], leaf)
    for leaf in reader.unnamed(versions.unnamed):
        _note_shared(chosen, (), leaf)
        _note_first(chosen, leaf)
    return chosen


def _no_path(path: bytes) -> bool:
    return False


def _no_entry(dataset: Dataset, path: bytes) -> bool:
    return False


def _leaves(
    versions: Versions, reader: Reader, chosen: Chosen
) -> Iterator[tuple[tuple[Dataset, ...], tuple[int, ...], Leaf]]:
    for ref, leaf in reader.leaves(versions.leaves):
        numbers = tuple(versions.leaves[ref])
        datasets = tuple(versions.datasets[number] for number in numbers)
        if isinstance(leaf, DataverError):
            why = (datasets[0].target, leaf.message)
            chosen.unread += [why] if why not in chosen.unread else []
            continue
        yield datasets, numbers, leaf


def _select(
    chosen: Chosen, wanted: Wanted, datasets: tuple[Dataset, ...], numbers: tuple[int, ...], leaf: Leaf
) -> None:
    # Versions of one dataset call an entry alike.
    targets = {(d.target, d.is_folder): d for d in datasets}
    for entry, commitment in shown_entries(leaf):
        taken: list[bytes] = []
        others: list[bytes] = []
        for dataset in targets.values():
            shown = dataset.shown(entry.path)
            new = wanted.tables.get((shown, entry.oid)) if entry.oid is not None else None
            if wanted.takes(dataset, entry):
                _take(chosen, entry, commitment, leaf.leaf_id)
                chosen.found.add((shown, entry.oid))
            elif new is not None and entry.oid is not None:
                chosen.replaced.setdefault(leaf.leaf_id, {})[commitment] = new
                chosen.sizes[entry.oid] = entry.size
            else:
                others.append(shown)
                continue
            taken.append(shown)
            same = sum(1 for one in datasets if one.target == dataset.target)
            before = chosen.files.get(shown, PlannedFile(shown, 0, 0))
            chosen.files[shown] = PlannedFile(shown, max(before.size, entry.size), before.versions + same)
            chosen.datasets.update(numbers)
        for other in others if taken else ():
            chosen.tied.setdefault(taken[0], other)
            chosen.shared.setdefault((taken[0], other, ""), SharedContent(taken[0], other, ""))


def _select_unnamed(chosen: Chosen, wanted: Wanted, targets: Sequence[Dataset], leaf: Leaf) -> None:
    """Take entries of a leaf of nobody knows which dataset: any folder in which they are selected is meant.

    A single file may be any of those that are tracked: only content says which.
    """
    is_taken = False
    new = {(shown.rpartition(b"/")[2], oid): content for (shown, oid), content in wanted.tables.items()}
    for entry, commitment in shown_entries(leaf):
        table = new.get((entry.path.rpartition(b"/")[2], entry.oid)) if entry.oid is not None else None
        is_single = leaf.count == 1 and entry.path == SINGLE_FILE_PATH
        is_known = (entry.path, entry.oid) in chosen.pairs or entry.oid in wanted.oids
        meant = [one for one in targets if one.is_folder != is_single and wanted.takes(one, entry)]
        if is_known or (meant and not is_single):
            _take(chosen, entry, commitment, leaf.leaf_id)
            is_taken = True
        elif meant and _WHICH not in chosen.unread:
            chosen.unread.append(_WHICH)
        elif table is not None:
            chosen.replaced.setdefault(leaf.leaf_id, {})[commitment] = table
            is_taken = True
    chosen.unnamed += is_taken


def _take(chosen: Chosen, entry: Entry, commitment: bytes, leaf_id: bytes) -> None:
    chosen.selected.setdefault(leaf_id, set()).add(commitment)
    if entry.oid is not None:
        chosen.pairs.add((entry.path, entry.oid))
        if entry.oid not in EMPTY_OIDS:
            chosen.sizes[entry.oid] = entry.size


def _note_shared(chosen: Chosen, datasets: tuple[Dataset, ...], leaf: Leaf) -> None:
    selected = chosen.selected.get(leaf.leaf_id, set()) | chosen.replaced.get(leaf.leaf_id, {}).keys()
    for entry, commitment in shown_entries(leaf):
        if entry.oid is None or commitment in selected:
            continue
        if (entry.path, entry.oid) in chosen.pairs:
            chosen.kept.add((entry.path, entry.oid))
        if entry.oid not in chosen.sizes:
            continue
        chosen.shared_oids.add(entry.oid)
        chosen.shared_leaves.setdefault(leaf.leaf_id, set()).add(commitment)
        others = {d.shown(entry.path) for d in datasets} or {_UNNAMED + entry.path}
        for other in others:
            note_shared(chosen, entry.oid, other, "")


def _note_first(chosen: Chosen, leaf: Leaf) -> None:
    gone = chosen.selected.get(leaf.leaf_id, set())
    shared = chosen.shared_leaves.get(leaf.leaf_id, set())
    if gone or shared:
        shown = list(shown_entries(leaf))
        chosen.firsts[leaf.leaf_id] = (_first(shown, gone), _first(shown, gone | shared))


def _first(shown: Sequence[tuple[Entry, bytes]], gone: Set[bytes]) -> bytes:
    return next((entry.path for entry, commitment in shown if commitment not in gone), b"")


def note_shared(chosen: Chosen, oid: Oid, other: bytes, where: str) -> None:
    """Say that content of a selected file lies outside of the selection too."""
    path = chosen.path_of(oid)
    chosen.shared.setdefault((path, other, where), SharedContent(path, other, where))


def is_at(shown: bytes, path: bytes) -> bool:
    """Tell whether *shown*, from the top, may be the entry *path* of a dataset."""
    return shown == path or shown.endswith(b"/" + path)


def deny_ids(secret: Secret, chosen: Chosen, unlinked: Set[Oid]) -> tuple[bytes, ...]:
    """Return the ids that deny what was chosen, ascending; contents in *unlinked* at their paths only.

    A path is one inside of any dataset: where another one keeps the same content there, nothing denies it.
    """
    key = secret.deny_key
    found = {deny_id(key, TAG_OID, oid) for oid in chosen.sizes if oid not in unlinked}
    found |= {
        deny_id(key, TAG_ENTRY, entry_data(path, oid))
        for path, oid in chosen.pairs
        if (oid in unlinked or oid in EMPTY_OIDS) and (path, oid) not in chosen.kept
    }
    return tuple(sorted(found))


def _note_opaque(chosen: Chosen, dataset: Dataset, leaf: Leaf) -> None:
    for entry in leaf.view:
        name = entry.path.lower() if dataset.is_folder else dataset.target.lower()
        why = next((why for endings, why in _OPAQUE if name.endswith(endings)), "")
        if why and (shown := dataset.shown(entry.path)) not in chosen.files:
            chosen.opaque[shown] = why


_OPAQUE = (
    ((b".zip", b".tar", b".tgz", b".gz", b".bz2", b".xz", b".zst", b".7z", b".rar"), "an archive"),
    (
        (b".pkl", b".pickle", b".joblib", b".pt", b".pth", b".ckpt", b".npz", b".h5", b".hdf5"),
        "a binary container",
    ),
    ((b".db", b".sqlite", b".sqlite3", b".duckdb"), "a database"),
)
