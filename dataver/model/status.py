"""What `status` answers; apart from the other results, since making a class takes a millisecond."""

from __future__ import annotations

from dataclasses import dataclass

from dataver.model.diff import Change
from dataver.model.result import Result


@dataclass(frozen=True, slots=True)
class TargetStatus:
    path: bytes
    pointer: bytes
    state: str
    """`clean`, `dirty`, `absent` (nothing checked out), `partial` (some of it absent), `conflict`,
    `error`."""
    git: str
    """The pointer against HEAD: `committed`, `added` (new, staged), `staged` (changed, staged), `modified`
    (changed, not staged), `untracked`, `deleted`, `moved`."""
    changes: tuple[Change, ...]
    """The workspace against the pointer."""
    at: str
    """Name of another revision whose version the workspace holds; empty when unknown or the same."""
    files: int
    size_text: str
    """Size as the pointer says it, for people."""
    absent: int
    """Entries that are not checked out and are in the cache or on a remote."""
    missing: int
    """Entries that are neither in the workspace nor in the cache."""
    erased: int
    remote_missing: int | None
    """Objects that the remote lacks; None when it was not asked."""
    sparse: tuple[str, ...]
    moved_from: bytes = b""
    is_folder: bool = True
    conflicts: tuple[bytes, ...] = ()
    """In a conflict: the paths that both sides changed, as far as the cache can tell."""
    erasures: tuple[str, ...] = ()
    """Names of the erasures that took the `erased` entries, like `E-1f3a9c2e`."""


@dataclass(frozen=True, slots=True)
class StatusResult(Result):
    head: str
    """HEAD's commit, 40 hex; empty before the first commit."""
    targets: tuple[TargetStatus, ...]
    is_fresh_clone: bool = False
    """True when nothing was ever checked out or fetched here."""
    has_remote: bool = False
    head_name: str = ""
    """What people call HEAD: its tag, else its branch, else a short id; only where some target has `at`."""
    requests: int = 0
    """To the remote, where one was asked."""

    @property
    def is_clean(self) -> bool:
        """Whether workspace, pointers and HEAD agree (data not fetched is no difference)."""
        return all(
            not t.changes and t.state in ("clean", "absent", "partial") and t.git == "committed"
            for t in self.targets
        )
