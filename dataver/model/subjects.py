"""Subject rules: how the data of one person is found in a target.  Pure.

The rules stand in `.dataver/subjects.toml` and hold no personal data: they say where a subject's
id stands, never which one.  See docs/format.md, chapter "Subject rules".
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

from dataver.model.globs import glob_expression, is_glob

SUBJECT = b"{subject}"
"""Stands in a path template for a subject's id, within one component."""
PATH, STEM = b"{path}", b"{stem}"
"""Stand in a sidecar's template for a file's path, whole or without its last extension."""


@dataclass(frozen=True, slots=True)
class PathRule:
    """The id stands in the path: `users/{subject}/**`."""

    target: bytes
    path: bytes


@dataclass(frozen=True, slots=True)
class TableRule:
    """A table, inside the target or tracked on its own, says whose each file is."""

    target: bytes
    table: bytes
    path_column: str
    subject_column: str


@dataclass(frozen=True, slots=True)
class SidecarRule:
    """A JSON file beside each file says whose it is."""

    target: bytes
    sidecar: bytes
    field: str
    """Names in nested objects, parted by dots."""


@dataclass(frozen=True, slots=True)
class RowsRule:
    """Files hold rows of many subjects; a column says whose each row is."""

    target: bytes
    rows: bytes
    key: str


Rule = PathRule | TableRule | SidecarRule | RowsRule


@dataclass(frozen=True, slots=True)
class Rules:
    """All rules of one repository, in the order of their file."""

    all: tuple[Rule, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.all)

    def within(self, target: bytes, *, is_single: bool = False) -> Scope:
        """Return the rules that hold for one target."""
        own = tuple(rule for rule in self.all if matches(rule.target, target))
        is_table = any(isinstance(rule, TableRule) and rule.table == target for rule in self.all)
        return Scope(own, target, is_single, is_table)

    def covers(self, target: bytes, path: bytes) -> bool:
        """Tell whether *path* inside the folder *target* is under any rule."""
        return self.within(target).covers(path)


@dataclass(frozen=True, slots=True)
class Scope:
    """The rules that hold for one target."""

    rules: tuple[Rule, ...]
    target: bytes
    is_single: bool
    """Whether the target is one file, whose path in its tree is fixed: rules see its own name."""
    is_table: bool = False
    """Whether the target is a mapping table of a rule; its rows are under that rule."""
    _covering: re.Pattern[bytes] | None = field(init=False)
    _is_whole: bool = field(init=False)

    def __post_init__(self) -> None:
        whole = self.is_table or any(isinstance(r, TableRule | SidecarRule) for r in self.rules)
        shapes = [glob_expression(_shape(r)) for r in self.rules if isinstance(r, PathRule | RowsRule)]
        pattern = re.compile(b"|".join(b"(?:%s)" % s for s in shapes), re.DOTALL) if shapes else None
        object.__setattr__(self, "_is_whole", whole)
        object.__setattr__(self, "_covering", pattern)

    def __bool__(self) -> bool:
        return self._is_whole or self._covering is not None

    def seen(self, path: bytes) -> bytes:
        """Return the path that rules see of the entry at *path*."""
        return self.target.rpartition(b"/")[2] if self.is_single else path

    def covers(self, path: bytes) -> bool:
        """Tell whether the entry at *path* is under any rule.

        A table or a sidecar may come to name any file of its target, so they cover all of it.
        """
        return self._is_whole or (
            self._covering is not None and self._covering.fullmatch(self.seen(path)) is not None
        )


def matches(pattern: bytes, path: bytes) -> bool:
    """Tell whether a glob stands for *path*; one without stars stands for its own text."""
    return pattern == path or (is_glob(pattern) and _compiled(pattern).fullmatch(path) is not None)


def _compiled(pattern: bytes) -> re.Pattern[bytes]:
    return re.compile(glob_expression(pattern), re.DOTALL)


def _shape(rule: PathRule | RowsRule) -> bytes:
    return rule.path.replace(SUBJECT, b"?*") if isinstance(rule, PathRule) else rule.rows


class Template:
    """A path template, to read the subject's id out of paths."""

    def __init__(self, path: bytes) -> None:
        """*path* holds `{subject}` once, in a component without `*`, `?` and `[`."""
        components = path.split(b"/")
        at = next(n for n, component in enumerate(components) if SUBJECT in component)
        self._before, _, self._after = components[at].partition(SUBJECT)
        # With their slashes: so `**/` stands for no folder as well, and `/**` for at least one name.
        self._head = _compiled(b"".join(c + b"/" for c in components[:at]))
        self._tail = _compiled(b"".join(b"/" + c for c in components[at + 1 :]))
        self._depth = None if b"**" in path[: path.index(SUBJECT)] else at

    def subject_of(self, path: bytes, wanted: Collection[bytes]) -> bytes | None:
        """Return which of *wanted* the template finds in *path*; None for none."""
        components = path.split(b"/")
        for at in self._places(components):
            found = self._id_in(components[at])
            if found is None or found not in wanted:
                continue
            head = b"".join(c + b"/" for c in components[:at])
            tail = b"".join(b"/" + c for c in components[at + 1 :])
            if self._head.fullmatch(head) and self._tail.fullmatch(tail):
                return found
        return None

    def _places(self, components: list[bytes]) -> Iterator[int]:
        if self._depth is None:
            yield from range(len(components))
        elif self._depth < len(components):
            yield self._depth

    def _id_in(self, component: bytes) -> bytes | None:
        start, end = len(self._before), len(component) - len(self._after)
        if start >= end or not component.startswith(self._before) or not component.endswith(self._after):
            return None
        return component[start:end]
