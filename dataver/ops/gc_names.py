"""What people know the largest of what goes by: a path, where a tree that goes too still says it."""

from __future__ import annotations

import heapq
from collections.abc import Iterator

from dataver.errors import FormatError, HostileInputError, show_path
from dataver.formats.tree import Leaf, decode_leaf
from dataver.model.guarding import Collected
from dataver.model.names import BLOB, LEAF, Oid, format_oid, oid_of_name
from dataver.store.cache import Cache
from dataver.store.cache_marks import read_quietly
from dataver.store.sweep_plan import Plan

_MOST = 10
_MOST_LEAVES = 2000
"""Opened to find names: some million entries."""


def largest_of(cache: Cache, plan: Plan) -> tuple[Collected, ...]:
    """Return the largest contents that *plan* takes away, the largest first."""
    contents = ((name, size) for name, size in plan.dead_objects() if name[0] == BLOB)
    chosen = {oid_of_name(name): size for name, size in heapq.nlargest(_MOST, contents, key=lambda c: c[1])}
    names = _paths_of(cache, plan, set(chosen)) if chosen else {}
    return tuple(
        Collected(names.get(oid) or format_oid(oid), size)
        for oid, size in sorted(chosen.items(), key=lambda item: (-item[1], item[0]))
    )


def _paths_of(cache: Cache, plan: Plan, wanted: set[Oid]) -> dict[Oid, str]:
    found: dict[Oid, str] = {}
    for number, leaf in enumerate(_dead_leaves(cache, plan)):
        for entry in leaf.view:
            if entry.oid in wanted:
                found.setdefault(entry.oid, show_path(entry.path))
        if len(found) == len(wanted) or number >= _MOST_LEAVES:
            break
    return found


def _dead_leaves(cache: Cache, plan: Plan) -> Iterator[Leaf]:
    for name, _ in plan.dead_objects():
        if name[0] == LEAF:
            data = read_quietly(cache, name)
            try:
                if data is not None:
                    yield decode_leaf(data, name[2:])
            except (FormatError, HostileInputError):
                continue
