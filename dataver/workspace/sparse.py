"""Which paths of a tree are checked out: patterns that a partial checkout leaves behind.

A pattern is a path inside the target (with everything below it) or a glob: `*` and `?` stay
within a component, `**` crosses them.  Without patterns everything is wanted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from dataver.model.globs import glob_expression
from dataver.model.globs import is_glob as is_glob  # said anew: a pattern's readers ask here


def exactly(path: bytes) -> bytes:
    """Return the pattern that means *path* (and what is below it) and nothing else."""
    return b"".join(b"[" + bytes((c,)) + b"]" if c in b"*?[" else bytes((c,)) for c in path)


class Sparse:
    """The set of wanted paths inside one target."""

    def __init__(self, patterns: Iterable[bytes] = ()) -> None:
        self.patterns = tuple(sorted(set(patterns)))
        # A name may hold `[`: whatever a pattern means, it means its own text too.
        self._literal = frozenset(self.patterns)
        globs = [glob_expression(p, below=True) for p in self.patterns if is_glob(p)]
        self._glob = re.compile(b"|".join(globs), re.DOTALL) if globs else None

    def __bool__(self) -> bool:
        """Tell whether anything is left out at all."""
        return bool(self.patterns)

    def matches(self, path: bytes) -> bool:
        """Tell whether *path* is wanted."""
        if not self.patterns or path in self._literal:
            return True
        folder = path.rpartition(b"/")[0]
        while folder:
            if folder in self._literal:
                return True
            folder = folder.rpartition(b"/")[0]
        return self._glob is not None and self._glob.fullmatch(path) is not None

    def ranges(self) -> list[tuple[bytes, bytes | None]] | None:
        """Return ranges `low <= path < high` that hold every wanted path; None where that is all paths."""
        if not self.patterns:
            return None
        found: list[tuple[bytes, bytes | None]] = []
        for pattern in self.patterns:
            head = re.split(rb"[*?\[]", pattern, maxsplit=1)[0]
            if head == pattern:
                found.append((pattern, pattern + b"\0"))
                found.append((pattern + b"/", pattern + b"0"))
            elif not head:
                return None
            else:
                found.append((head, _after_prefix(head)))
        return found


def _after_prefix(prefix: bytes) -> bytes | None:
    """Return the first bytes after all that begin with *prefix*; None where there are none."""
    low = prefix.rstrip(b"\xff")
    return low[:-1] + bytes((low[-1] + 1,)) if low else None
