"""All that is asked of git, through the git program.

Paths are bytes, relative to the top of the work tree.  Reads take no optional lock, nothing is ever
paged, prompted for or translated, and a path is never taken for a pattern.  Nothing is kept
between calls.
"""

from dataver.git.place import GitPlace, find_place
from dataver.git.rows import (
    ALL,
    EVERYTHING,
    CommitInfo,
    PointerChange,
    PointerCommit,
    PointerRow,
    PointerRows,
)
from dataver.git.worktree import Git

__all__ = [
    "ALL",
    "EVERYTHING",
    "CommitInfo",
    "Git",
    "GitPlace",
    "PointerChange",
    "PointerCommit",
    "PointerRow",
    "PointerRows",
    "find_place",
]
