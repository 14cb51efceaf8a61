"""Which paths of a tree are checked out: patterns that a partial checkout leaves behind.

A pattern is a path inside the target (with everything below it) or a glob: `*` and `?` stay
within a component, `**` crosses them.  Without patterns everything is wanted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable


def is_glob(pattern: bytes) -> bool:
    return any(c in pattern for c in b"*?[")


def exactly(path: bytes) -> bytes:
    """Return the pattern that means *path* (and what is below it) and nothing else."""
    return b"".join(b"[" + bytes((c,)) + b"]" if c in b"*?[" else bytes((c,)) for c in path)


class Sparse:
    """The set of wanted paths inside one target."""

    def __init__(self, patterns: Iterable[bytes] = ()) -> None:
        self.patterns = tuple(sorted(set(patterns)))
        # A name may hold `[`: whatever a pattern means, it means its own text too.
        self._literal = frozenset(self.patterns)
        globs = [_regex(p) for p in self.patterns if is_glob(p)]
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


_END = rb"(?=/|\Z)"


def _regex(pattern: bytes) -> bytes:
    """Return the expression for a glob.

    After a star, the first place where what follows up to the next star fits is as good as any
    later one.  So each such step is atomic: else a pattern of many stars takes exponential time.
    """
    # Parted by what crosses folders: (how a part begins, its pieces between single stars).
    parts: list[tuple[bytes, list[bytes]]] = [(b"", [b""])]
    position = 0
    while position < len(pattern):
        rest = pattern[position:]
        pieces = parts[-1][1]
        size = 1
        if rest.startswith(b"**/"):
            parts.append((rb"(?:.*?/)??", [b""]))
            size = 3
        elif rest.startswith(b"**"):
            parts.append((rb".*?", [b""]))
            size = 2
        elif rest[:1] == b"*":
            pieces.append(b"")
        elif rest[:1] == b"?":
            pieces[-1] += rb"[^/]"
        elif rest[:1] == b"[" and b"]" in rest[2:]:
            end = rest.index(b"]", 2)
            pieces[-1] += _class(rest[1:end])
            size = end + 1
        else:
            pieces[-1] += re.escape(rest[:1])
        position += size
    parts[-1][1][-1] += _END
    whole = b""
    for begin, (first, *others) in parts:
        whole += rb"(?>" + begin + first + b"".join(rb"(?>[^/]*?" + other + b")" for other in others) + b")"
    return whole + rb"(?:/.*)?"


def _class(inner: bytes) -> bytes:
    """Return the expression for the characters between two brackets; never a slash."""
    is_negated = inner[:1] in (b"!", b"^") and len(inner) > 1
    chars = inner[1:] if is_negated else inner
    body = b""
    while chars:
        # Only the hyphen keeps a meaning of its own, and only between two others.
        size = 3 if chars[1:2] == b"-" and len(chars) > 2 else 1
        body += b"-".join(re.escape(chars[n : n + 1]) for n in range(0, size, 2))
        chars = chars[size:]
    whole = (b"[^/" if is_negated else b"[") + body + b"]"
    try:
        re.compile(whole)
    except re.error:  # a range from high to low holds nothing, as in Git
        return rb"(?!)"
    return whole
