"""Globs over paths: `*` and `?` stay within a component, `**` crosses them."""

from __future__ import annotations

import re


def is_glob(pattern: bytes) -> bool:
    """Tell whether *pattern* means more than its own text."""
    return any(c in pattern for c in b"*?[")


def glob_expression(pattern: bytes, *, below: bool = False) -> bytes:
    """Return the regular expression (with `re.DOTALL`, for a full match) of a glob.

    With *below* what a match has below it matches too.
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
    parts[-1][1][-1] += rb"(?=/|\Z)" if below else rb"\Z"
    whole = b""
    for begin, (first, *others) in parts:
        whole += rb"(?>" + begin + first + b"".join(rb"(?>[^/]*?" + other + b")" for other in others) + b")"
    return whole + (rb"(?:/.*)?" if below else b"")


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
