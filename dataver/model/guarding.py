"""What the verbs that guard data answer: verify, gc, log, check, hooks, resolve, doctor.

Values as in `model.results`: paths are bytes from the top of the work tree, sizes are in bytes, and
what was not done is in `failed`.

Longer than 300 lines because all results of these verbs stand in one place, as those of the others do.
"""

from __future__ import annotations

from dataclasses import dataclass

from dataver.model.diff import Change
from dataver.model.merge import Conflict
from dataver.model.result import Result


@dataclass(frozen=True, slots=True)
class Collected:
    """One thing that `gc` takes away, for the list of the largest."""

    name: str
    """A path, where a tree that goes too says it; else the object's id."""
    size: int


@dataclass(frozen=True, slots=True)
class GcResult(Result):
    """What `gc` did, or with *dry_run* would do, in one place."""

    where: str
    """`cache`, or the name of a remote."""
    dry_run: bool
    kept: int = 0
    """Objects that stay, and their bytes."""
    kept_size: int = 0
    set_aside: int = 0
    """Objects that nothing names: set aside until the grace period is over."""
    set_aside_size: int = 0
    deleted: int = 0
    """Objects and old leftovers that are gone for good, and the bytes that this gives back."""
    deleted_size: int = 0
    freed: int = 0
    """Local copies of contents that a remote was just shown to hold."""
    freed_size: int = 0
    restored: int = 0
    """Objects that came back from where they were set aside."""
    restored_size: int = 0
    waiting: int = 0
    """Files that are set aside afterwards, and their bytes."""
    waiting_size: int = 0
    packs: int = 0
    """Of a remote: packs that are gone, those written anew among them."""
    copied_size: int = 0
    """Of a remote: bytes that were copied out of them into new packs."""
    seq: int = 0
    """Of a remote: number of the journal entry that names what is gone; 0 for none."""
    grace_s: int = 0
    largest: tuple[Collected, ...] = ()
    """With a dry run: the largest of what would go, the largest first."""
    repos: tuple[str, ...] = ()
    """Repositories that were asked what they name."""
    forgotten: tuple[str, ...] = ()
    """Repositories whose registration was removed."""


@dataclass(frozen=True, slots=True)
class HookInfo:
    """One of Git's hooks as it is found, or as it is after a change."""

    name: str
    path: str
    """The file that holds dataver's part, or would; absolute."""
    state: str
    """`installed`, `outdated`, `missing`, `foreign` (a hook that does not call dataver), `by-hand` (one that
    does), `disabled` (not executable)."""
    changed: bool = False
    """Whether this command wrote or deleted the file."""
    note: str = ""
    """What keeps dataver from writing there; empty for nothing."""
    hint: str = ""
    """What a person does instead."""


@dataclass(frozen=True, slots=True)
class HooksResult(Result):
    """Where Git's hooks lie and what they are."""

    folder: str
    """Where Git looks for hooks, absolute."""
    setting: str
    """`core.hooksPath`, where that says so; else empty."""
    is_in_worktree: bool
    """Whether the folder lies among the files of the work tree, where it may be committed."""
    hooks: tuple[HookInfo, ...]


@dataclass(frozen=True, slots=True)
class Unadded:
    """A target of which a commit would not have everything."""

    path: bytes
    changes: int
    """Files that differ from the pointer; 0 where only the pointer is not staged."""
    is_folder: bool


@dataclass(frozen=True, slots=True)
class PreCommitResult(Result):
    """What a commit would leave out; what it must not hold is in `failed`."""

    unadded: tuple[Unadded, ...]


@dataclass(frozen=True, slots=True)
class LackingVersion:
    """A version of a target that a remote does not have in whole."""

    path: bytes
    """The tracked file or folder."""
    commit: str
    """The first commit that names it, in full; empty where none is known."""
    author: str
    subject: str
    files: int
    """Files whose content is lacking; of a version whose tree is nowhere to be read, all of them."""
    paths: tuple[bytes, ...]
    """Those files, at most a thousand; empty where the tree cannot be read."""


@dataclass(frozen=True, slots=True)
class CheckResult(Result):
    """Whether a remote has all data of some commits."""

    remote: str
    refs: str
    """The commits that were asked for; `HEAD` by default."""
    versions: int
    objects: int
    """Objects that were looked up."""
    lacking: tuple[LackingVersion, ...]
    requests: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that `doctor` looked at."""

    topic: str
    """Such as `git`, `hooks`, `cache`, `remote origin`."""
    state: str
    """`ok`, `warning` or `problem`."""
    message: str
    hint: str = ""
    """The command that mends it; empty where nothing is to be done."""
    is_mended: bool = False
    """Whether this run mended it."""


@dataclass(frozen=True, slots=True)
class DoctorResult(Result):
    """The state of a clone, thing by thing; problems are in `failed` too."""

    top: str
    """Of the work tree; empty outside of one."""
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class Damage:
    """One thing that `verify` found corrupt or missing."""

    what: str
    """What it is, such as `blob 6f1c9a3e0b72`, `pack 1f3a...` or `journal entry 7`."""
    state: str
    """`corrupt` or `missing`."""
    place: str
    """`cache`, or the name of a remote."""
    path: bytes = b""
    """A path that needs it; empty where none is known."""
    version: str = ""
    """A commit that needs it, as people call it; empty for what is not committed, or not known."""
    why: str = ""
    copy: str = ""
    """Where a sound copy is: `workspace`, `cache`, `clone` (its own state), the name of a remote; empty
    where none is known."""
    is_quarantined: bool = False
    is_repaired: bool = False


@dataclass(frozen=True, slots=True)
class VerifiedPlace:
    """What `verify` looked at in one place."""

    name: str
    """`cache`, or the name of a remote."""
    files: int
    """Packs and loose blobs that were read."""
    objects: int
    """Objects in them."""
    size: int
    """Bytes read of the bytes that there are (*total*)."""
    total: int
    versions: int
    """Versions of which every object was looked up."""
    absent: tuple[bytes, ...] = ()
    """Tracked paths that were never brought here whole, so that nothing of them counts as missing."""
    strays: tuple[str, ...] = ()
    """Files that are none of ours."""
    newer: int = 0
    """Objects of a format that this release does not know."""


@dataclass(frozen=True, slots=True)
class VerifyResult(Result):
    """What `verify` found; all that stays damaged is in `failed` too."""

    places: tuple[VerifiedPlace, ...]
    damaged: tuple[Damage, ...]
    repair: bool
    sample: str
    """What share was asked for, such as `5%`; empty for everything."""
    seconds: float


@dataclass(frozen=True, slots=True)
class ResolvedTarget:
    """One pointer that Git left in conflict."""

    path: bytes
    pointer: bytes
    is_folder: bool
    is_resolved: bool
    """False while something of it is in conflict; then its pointer is as it was."""
    is_deleted: bool = False
    """True when the side without the pointer was taken."""
    decided: int = 0
    """Paths in conflict that are decided, now or before."""
    conflicts: tuple[Conflict, ...] = ()
    """Those that nobody decided; paths from the top of the work tree."""
    note_keys: tuple[str, ...] = ()
    """Keys of the pointer's note that both sides changed and nobody decided."""
    note: str = ""
    """What stays in conflict, or what was chosen between, in words."""
    changes: tuple[Change, ...] = ()
    """From our version to the merged one, renames paired; paths from the top of the work tree."""
    beside: tuple[tuple[bytes, bytes], ...] = ()
    """With `union`: a path at which ours stands, and where theirs lies beside it."""
    files: int = 0
    size_text: str = ""
    """Of the merged version, for people."""
    absent: int = 0
    """Contents that the cache does not have yet of what the merge brought."""


@dataclass(frozen=True, slots=True)
class ResolveResult(Result):
    """What `resolve` settled; what stays in conflict is in `failed` too."""

    targets: tuple[ResolvedTarget, ...]
    side: str
    """`ours`, `theirs`, `union`; empty when none was chosen."""
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class LoggedTarget:
    """How one commit changed a target, or a path inside it, against the commit's first parent."""

    path: bytes
    """What was asked for, under the name that it had then."""
    pointer: bytes
    state: str
    """`added`, `changed`, `deleted`, `moved`; `unknown` where a tree is not in the cache, `unreadable`
    where a pointer cannot be read, `cut` at the first commit of a shallow clone."""
    is_folder: bool = True
    """Whether *path* is a folder."""
    moved_from: bytes = b""
    added: int = 0
    modified: int = 0
    deleted: int = 0
    renamed: int = 0
    size_change: int = 0
    """In bytes; of a whole target that was added or deleted as exact as its pointer says it."""
    old_files: int = 0
    files: int = 0
    """Of the whole target, as the pointers before and after say it."""
    note: str = ""
    """Why no more is known, or what else changed."""
    changes: tuple[Change, ...] = ()
    """The first thousand, renames paired, paths from the top of the work tree; none for a whole
    target that was added or deleted."""


@dataclass(frozen=True, slots=True)
class LoggedCommit:
    """One commit that changed what was asked for."""

    sha: str
    author: str
    date: str
    """ISO 8601, in the author's time zone."""
    subject: str
    is_merge: bool
    targets: tuple[LoggedTarget, ...]


@dataclass(frozen=True, slots=True)
class LogResult(Result):
    """The history of data, the newest commit first."""

    commits: tuple[LoggedCommit, ...]
    has_more: bool = False
    """True when a limit left older commits out."""
