"""Three versions of a pointer for tests of merges: made in a sandbox, or of entries alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from dataver.formats.pointer import Pointer, encode_pointer, size_text
from dataver.model.tree import Entry
from dataver.ops.merging import Sides
from dataver.repo import Repo
from dataver.store.cache_writer import CacheWriter
from dataver.store.treewriter import save
from dataver.workspace.leafkeys import leaf_keys
from tests.workspace.sandbox import Sandbox

Content = Mapping[str, str | bytes | None]


def pointer_to(repo: Repo, entries: Sequence[Entry], *, note: Mapping[str, str] | None = None) -> Pointer:
    """Return a pointer to a tree of *entries*, which lies in the cache; of the contents nothing does."""
    secret = repo.secret
    with CacheWriter(repo.cache) as writer:
        keys = leaf_keys(repo.workspace.top, secret.tree_key if secret else None, b"data", is_single=False)
        root = save(entries, writer, keys.key_of)
        writer.commit()
    return Pointer(root, True, len(entries), size_text(sum(e.size for e in entries)), note or {})


def sides_of(repo: Repo, base: Sequence[Entry], ours: Sequence[Entry], theirs: Sequence[Entry]) -> Sides:
    return Sides(*(pointer_to(repo, entries) for entries in (base, ours, theirs)))


def temp_files(folder: Path, base: Pointer | None, ours: Pointer, theirs: Pointer) -> tuple[str, str, str]:
    """Write pointers as Git hands them to the driver; no base is an empty file."""
    paths = []
    for name, pointer in (("base", base), ("ours", ours), ("theirs", theirs)):
        path = folder / f".merge_file_{name}"
        path.write_bytes(b"" if pointer is None else encode_pointer(pointer))
        paths.append(str(path))
    return paths[0], paths[1], paths[2]


def change(box: Sandbox, files: Content) -> None:
    """Write files of the sandbox; None deletes one."""
    box.write({name: text for name, text in files.items() if text is not None})
    for name in (name for name, text in files.items() if text is None):
        (box.top / name).unlink()


def diverge(box: Sandbox, ours: Content, theirs: Content) -> None:
    """Leave the pointer `data.dv` in conflict: `main` has *ours*, `side` has *theirs*, over what there is.

    Without the driver, as in a clone that was never told of it: whatever differs is a conflict.
    """
    box.git("switch", "-q", "-c", "side")
    change(box, theirs)
    box.record("data")
    box.git("switch", "-q", "main")
    box.checkout()
    change(box, ours)
    box.record("data")
    box.git("-c", "merge.dataver.driver=false", "merge", "-q", "side", check=False)
