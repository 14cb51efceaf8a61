"""What a folder holds, as a dictionary: the model that the program is compared with."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path

from dataver.disk.atomic import TEMP_PREFIX

Entry = tuple[str, bytes]
"""(file, executable, symlink or empty; content)."""

Tree = dict[bytes, Entry]
"""Path -> entry; `empty` is a folder without anything in it."""

_TEMP = TEMP_PREFIX.encode()


def tree_on_disk(folder: Path) -> Tree:
    """Return what a tree of *folder* would hold: files, links and empty folders."""
    seen: Tree = {}
    top = os.fsencode(folder)
    for here, folders, names in os.walk(top):
        base = os.path.relpath(here, top) + b"/" if here != top else b""
        # What a killed command left is no file of the user's.
        folders[:] = [name for name in folders if not name.startswith(_TEMP)]
        files = [name for name in names if not name.startswith(_TEMP)]
        for name in [*files, *(f for f in folders if os.path.islink(os.path.join(here, f)))]:
            path = os.path.join(here, name)
            if os.path.islink(path):
                seen[base + name] = ("symlink", os.readlink(path))
                continue
            with open(path, "rb") as file:
                mode = os.fstat(file.fileno()).st_mode
                seen[base + name] = ("executable" if mode & stat.S_IXUSR else "file", file.read())
        if base and not files and not folders:
            seen[base[:-1]] = ("empty", b"")
    return seen


def folders_of(path: bytes) -> list[bytes]:
    """Return the folders above *path*, the highest first."""
    parts = path.split(b"/")
    return [b"/".join(parts[:n]) for n in range(1, len(parts))]


def with_absent(here: Tree, absent: Mapping[bytes, Entry]) -> Tree:
    """Return *here* with what is absent, where nothing on disk has taken its place."""
    used = {f for path in here for f in folders_of(path)}
    kept = {
        path: entry
        for path, entry in absent.items()
        if path not in here
        and path not in used
        and not any(here.get(f, ("empty",))[0] != "empty" for f in folders_of(path))
    }
    above = {f for path in kept for f in folders_of(path)}
    return {p: e for p, e in here.items() if not (e[0] == "empty" and p in above)} | kept


def contents(tree: Tree) -> set[bytes]:
    """Return the contents of all files and links of *tree*."""
    return {content for kind, content in tree.values() if kind != "empty"}


def files(tree: Tree) -> Tree:
    """Return *tree* without its empty folders."""
    return {path: entry for path, entry in tree.items() if entry[0] != "empty"}
