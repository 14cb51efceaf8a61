"""What the verbs of erasure answer: purge, impact, hold.

Values as in `model.results`: paths are bytes from the top of the work tree, sizes are in bytes, and
what was not done is in `failed`.  Only a plan holds names of what is erased; nothing else does.

Longer than 300 lines because all results of these verbs stand in one place, as those of the others do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from dataver.model.result import Result

RemoteState = Literal["ABSENT", "PRESENT", "RESTRICTED", "UNKNOWN", "PENDING"]
ErasureState = Literal["open", "settling", "pending", "done", "closed", "lifted"]
Level = Literal["none", "local", "keys", "versions", "soft-deleted", "direct"]
"""How far a check went, each including those before it: the local mirror, current keys, all versions with
delete markers and unfinished uploads, what the provider keeps as soft-deleted, asking by recorded version."""


@dataclass(frozen=True, slots=True)
class PlannedFile:
    """One path that an erasure would take, over all versions."""

    path: bytes
    size: int
    """Of its largest content."""
    versions: int
    """Versions of the dataset that hold it."""


@dataclass(frozen=True, slots=True)
class SharedContent:
    """The same bytes under a selected path and outside of the selection."""

    path: bytes
    """Selected."""
    other: bytes
    """Not selected; of a version that no commit names its path inside the dataset."""
    where: str
    """Empty for this repository; else the other repository that shares the cache."""


@dataclass(frozen=True, slots=True)
class PlannedRemote:
    """What an erasure would do to one remote."""

    name: str
    url: str
    kind: str
    state: Literal["ready", "unreachable", "refused"]
    packs: int = 0
    """Packs that hold something of it."""
    size: int = 0
    """Bytes of those packs."""
    versions: int = 0
    """Versions, delete markers and unfinished uploads of their keys."""
    versioning: str = ""
    soft_delete_s: int = 0
    obstacles: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Residue:
    """Something in Git itself that names the person: erasing data does not rewrite Git."""

    kind: Literal["pointer", "commit message", "branch", "tag", "note"]
    where: str


@dataclass(frozen=True, slots=True)
class PurgePlanResult(Result):
    """What an erasure would take.  Nothing is changed."""

    plan: str
    """The digest that `purge run` takes; empty where something has to be decided first."""
    files: tuple[PlannedFile, ...]
    contents: int
    """Different contents."""
    size: int
    entries: int
    """Entries of leaves that are erased."""
    leaves: int
    versions: int
    """Versions of datasets that hold it."""
    unnamed_versions: int
    """Leaves that no commit here names and that hold it all the same."""
    commits: int
    tags: tuple[str, ...]
    shared: tuple[SharedContent, ...]
    shared_choice: str
    """`erase`, `unlink`, or empty for not decided."""
    held: tuple[bytes, ...]
    """Paths under a hold."""
    remotes: tuple[PlannedRemote, ...]
    not_examined: tuple[tuple[bytes, str], ...]
    """(path, why): archives, pickles, versions that cannot be read: they may hold it too."""
    residue: tuple[Residue, ...]
    hints: tuple[bytes, ...]
    """Other tracked paths that changed in commits that held it, such as models."""
    rows: int = 0
    """Rows that leave tables."""
    due: str = ""
    ticket: str = ""
    approvals: int = 0
    """Signatures that are needed; 0 where no signers are appointed."""
    signed: int = 0


@dataclass(frozen=True, slots=True)
class RemoteReport:
    """How far an erasure is on one remote."""

    name: str
    url: str
    kind: str
    state: RemoteState
    level: Level
    until: str = ""
    """Of RESTRICTED: when the provider forgets it."""
    why: str = ""
    """Of UNKNOWN and PENDING."""
    writers: tuple[str, ...] = ()
    """Of PENDING: writers from before the record that are waited for."""
    entries: int = 0
    objects: int = 0
    packs: int = 0
    written: int = 0
    removed: int = 0
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CloneReport:
    """One clone of the repository, as a remote knows it."""

    clone: str
    """First 8 digits of its id."""
    is_this: bool
    acknowledged: bool
    """Whether it has obeyed the records."""
    last_seen: str
    """Date of what it last said."""


@dataclass(frozen=True, slots=True)
class ErasureReport:
    """One erasure, as the records and a look at the remotes tell it; without names or content hashes."""

    erasure: str
    """Like `E-1f3a9c2e`."""
    state: ErasureState
    date: str
    due: str
    is_overdue: bool
    ticket: str
    leaves: tuple[tuple[str, int], ...] = ()
    """(leaf id, entries that it lost)."""
    facts: tuple[tuple[str, str], ...] = ()
    """What the records say for people: counts, decisions, residue."""
    remotes: tuple[RemoteReport, ...] = ()
    clones: tuple[CloneReport, ...] = ()
    signed_by: tuple[str, ...] = ()
    """Fingerprints of keys."""
    local: Literal["ABSENT", "PRESENT", "UNKNOWN"] = "UNKNOWN"
    closed: str = ""
    """Date."""

    @property
    def entries(self) -> int:
        return sum(count for _, count in self.leaves)


@dataclass(frozen=True, slots=True)
class PurgeRunResult(Result):
    """What a run, resume or sweep of an erasure came to."""

    report: ErasureReport
    files: int = 0
    """Files that left work trees here."""
    objects: int = 0
    """Objects that left the cache here."""
    receipt: str = ""
    """Where the receipt lies; empty until the erasure is done."""
    staged: tuple[bytes, ...] = ()
    """What was staged in Git."""


@dataclass(frozen=True, slots=True)
class PurgeVerifyResult(Result):
    """How far an erasure is, looked at again."""

    report: ErasureReport


@dataclass(frozen=True, slots=True)
class PurgeShowResult(Result):
    """One erasure with its receipt."""

    report: ErasureReport
    receipt: str
    """Digest of the receipt that the closing record names; empty before."""
    page: str = ""
    """Where the page for people was written."""


@dataclass(frozen=True, slots=True)
class PurgeListResult(Result):
    """All erasures of this repository."""

    erasures: tuple[ErasureReport, ...]


@dataclass(frozen=True, slots=True)
class PurgeApproveResult(Result):
    """A plan, or a record, with one more signature."""

    plan: str
    signed: int
    approvals: int
    key: str
    """Fingerprint of the key that signed."""


@dataclass(frozen=True, slots=True)
class SignersResult(Result):
    """Who may sign erasures."""

    keys: tuple[str, ...]
    """Fingerprints."""
    approvals: int
    changed: bool


@dataclass(frozen=True, slots=True)
class ScanHit:
    """A file with content that was erased."""

    path: str
    erasure: str
    deleted: bool


@dataclass(frozen=True, slots=True)
class PurgeScanResult(Result):
    """What erased content lies in a folder."""

    folder: str
    files: int
    """Looked at."""
    hits: tuple[ScanHit, ...]


@dataclass(frozen=True, slots=True)
class AuditFinding:
    """One thing that was checked."""

    what: str
    is_good: bool
    why: str = ""


@dataclass(frozen=True, slots=True)
class PurgeAuditResult(Result):
    """Whether records, signatures and receipts are what they say."""

    records: int
    findings: tuple[AuditFinding, ...]


@dataclass(frozen=True, slots=True)
class ImpactedPath:
    """A tracked path that changed in commits that held erased data."""

    path: bytes
    commits: tuple[str, ...]
    """The newest first, short ids."""


@dataclass(frozen=True, slots=True)
class ImpactResult(Result):
    """What may have been made from erased data."""

    erasure: str
    commits: int
    """Commits that held it."""
    tags: tuple[str, ...]
    paths: tuple[ImpactedPath, ...]


@dataclass(frozen=True, slots=True)
class HoldInfo:
    """One hold: kept, and not delivered."""

    hold: str
    """Like `H-1f3a9c2e`."""
    date: str
    due: str
    contents: int
    ticket: str


@dataclass(frozen=True, slots=True)
class HoldResult(Result):
    """The holds in force after a change."""

    holds: tuple[HoldInfo, ...]
    changed: str = ""
    """The hold that was added or released."""
