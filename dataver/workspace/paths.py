"""What a person names, matched to targets: paths, pointers, folders above them, globs inside them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from dataver.errors import NoSuchPathError, UnsupportedTargetError, show_path
from dataver.model.names import RepoPath, check_path, is_below
from dataver.workspace.pointers import Target
from dataver.workspace.sparse import Sparse, is_glob

PathLike = str | bytes | os.PathLike[str]


class Selection(NamedTuple):
    """A target and what of it was named; an empty set of patterns is all of it."""

    target: Target
    patterns: tuple[bytes, ...]


def relative_to_top(path: PathLike, cwd: str, top: str) -> RepoPath:
    """Return *path*, as seen from *cwd*, relative to *top*; empty for the top itself.

    Symlinks on the way are resolved, a symlink at its end is not.

    Raises: UnsupportedTargetError outside the work tree, HostileInputError for an odd name.
    """
    raw = os.fsencode(path)
    if not raw or b"\0" in raw:
        raise UnsupportedTargetError(raw, "no path")
    joined = os.path.normpath(os.path.join(os.fsencode(cwd), raw))
    folder, name = os.path.split(joined)
    resolved = os.path.join(os.path.realpath(folder), name)
    base = os.fsencode(top)
    if resolved == base:
        return RepoPath(b"")
    if not resolved.startswith(base + b"/"):
        raise UnsupportedTargetError(raw, f"lies outside of {show_path(top)}")
    inner = resolved[len(base) + 1 :]
    if inner.split(b"/", 1)[0] in (b".git", b".dataver"):
        raise UnsupportedTargetError(raw, "belongs to Git or dataver and is no data")
    return check_path(inner)


def select(targets: Sequence[Target], paths: Iterable[PathLike], cwd: str, top: str) -> list[Selection]:
    """Return the targets that *paths* name, in their order; all of them where nothing is named.

    Raises: NoSuchPathError for a path that matches no target.
    """
    named = [(path, relative_to_top(path, cwd, top)) for path in paths]
    if not named:
        return [Selection(t, ()) for t in targets]
    chosen: dict[bytes, set[bytes] | None] = {}
    for given, path in named:
        if not _choose(path, targets, chosen):
            raise NoSuchPathError(os.fsencode(given), near_misses(path, targets))
    return [Selection(t, tuple(sorted(chosen[t.path] or ()))) for t in targets if t.path in chosen]


def _choose(path: bytes, targets: Sequence[Target], chosen: dict[bytes, set[bytes] | None]) -> bool:
    found = False
    for target in targets:
        if path in (target.path, target.pointer_path) or is_below(target.path, path):
            chosen[target.path] = None
            found = True
        elif is_below(path, target.path):
            inner = path[len(target.path) + 1 :]
            patterns = chosen.setdefault(target.path, set())
            if patterns is not None:
                patterns.add(inner)
            found = True
        elif is_glob(path):
            found = _choose_glob(path, target, chosen) or found
    return found


def _choose_glob(path: bytes, target: Target, chosen: dict[bytes, set[bytes] | None]) -> bool:
    if Sparse([path]).matches(target.path) or Sparse([path]).matches(target.pointer_path):
        chosen[target.path] = None
        return True
    return False


def near_misses(path: bytes, targets: Sequence[Target]) -> list[str]:
    """Return tracked paths that look like *path*."""
    import difflib  # only on the way to an error

    known = [show_path(t.path) for t in targets]
    return difflib.get_close_matches(show_path(path), known, n=3)


def containing(path: bytes, targets: Iterable[Target]) -> Target | None:
    """Return the target that *path* lies strictly inside of, or None."""
    for target in targets:
        if path != target.path and is_below(path, target.path):
            return target
    return None
