"""What the verbs answer: frozen values that a person's program can rely on.

Paths are bytes relative to the top of the work tree, with `/` between components, unless a
docstring says otherwise; sizes are in bytes.  A verb that could not do all of it says so in
`failed`; nothing here raises.
"""

from __future__ import annotations

from dataclasses import dataclass

from dataver.model.diff import Change, FolderChange
from dataver.model.result import Result


@dataclass(frozen=True, slots=True)
class InitResult(Result):
    top: str
    branch: str
    """Current branch; empty when HEAD is detached."""
    created: bool
    """False when the repository already was initialised."""


@dataclass(frozen=True, slots=True)
class AddedTarget:
    path: bytes
    """The tracked folder or file, not the path inside it that was named."""
    pointer: bytes
    is_folder: bool
    files: int
    size: int
    added: int
    modified: int
    deleted: int
    renamed: int
    bytes_added: int
    """New size minus old size of what changed; may be negative."""
    root_id: bytes
    is_new: bool
    """True when nothing was tracked here before."""
    is_unchanged: bool
    is_staged: bool


@dataclass(frozen=True, slots=True)
class AddResult(Result):
    targets: tuple[AddedTarget, ...]
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class TargetDiff:
    path: bytes
    changes: tuple[Change, ...]
    folders: tuple[FolderChange, ...] = ()
    """Only where asked for (`--dirs`)."""
    note: str = ""
    """Why nothing could be compared, e.g. a leaf that is not in the cache."""
    is_folder: bool = True

    def count(self, kind: str) -> int:
        return sum(1 for c in self.changes if c.kind == kind)


@dataclass(frozen=True, slots=True)
class DiffResult(Result):
    old: str
    """The revision as it was asked for; `HEAD` by default."""
    new: str
    """A revision or `workspace`."""
    targets: tuple[TargetDiff, ...]
    """Only targets that differ."""


@dataclass(frozen=True, slots=True)
class CheckedOutTarget:
    path: bytes
    written: int
    deleted: int
    kept: int
    """Files that were already as they should be."""
    size: int
    """Bytes written."""
    absent: int
    """Entries outside the sparse set."""
    is_moved: bool = False
    is_folder: bool = True


@dataclass(frozen=True, slots=True)
class CheckoutResult(Result):
    targets: tuple[CheckedOutTarget, ...]
    rev: str = ""
    """The revision that was asked for; empty for the pointers as they stand."""
    dry_run: bool = False
    planned: tuple[Change, ...] = ()
    """With a dry run: what would change in the workspace."""


@dataclass(frozen=True, slots=True)
class UntrackResult(Result):
    targets: tuple[bytes, ...]
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class ListedEntry:
    path: bytes
    """Relative to the top of the work tree."""
    kind: str
    """`file`, `executable`, `symlink`, `folder`."""
    size: int
    oid: str
    """`algorithm:hex`; empty for folders."""
    pointer: bytes
    checksum: str = ""
    """Of a folder: the hash of all that is below it; only where asked for."""
    files: int = 1


@dataclass(frozen=True, slots=True)
class ListResult(Result):
    entries: tuple[ListedEntry, ...]


@dataclass(frozen=True, slots=True)
class MoveResult(Result):
    source: bytes
    target: bytes
    pointer: bytes


@dataclass(frozen=True, slots=True)
class PushResult(Result):
    remote: str
    files: int
    """Files in the versions that were asked for."""
    size: int
    """Bytes of those files."""
    objects: int
    """Objects sent."""
    packs: int
    sent: int
    """Bytes sent, metadata included."""
    present: int
    """Bytes of files that the remote already had."""
    seconds: float
    requests: int = 0
    """From the first one of the command on; with a dry run about how many the push would take."""
    seq: int = 0
    """Journal entry that made it visible; 0 when nothing had to be written."""
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class FetchResult(Result):
    remote: str
    files: int
    """Files wanted."""
    size: int
    objects: int
    """Objects received."""
    packs: int
    received: int
    requests: int
    """From the first one of the command on; with a dry run about how many the fetch would take."""
    seconds: float
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class PullResult(Result):
    fetch: FetchResult
    checkout: CheckoutResult
    files: int
    """Files that are now in the workspace of those asked for."""
    total_files: int
    size: int
    patterns: tuple[str, ...] = ()
    """Paths that the pull was narrowed to."""
    requests: int = 0
    """From the first one of the command on; with a dry run about how many the pull would take."""


@dataclass(frozen=True, slots=True)
class RemoteInfo:
    name: str
    url: str
    """Without credentials."""
    remote_id: str
    is_default: bool


@dataclass(frozen=True, slots=True)
class RemoteAddResult(Result):
    remote: RemoteInfo
    can_list: bool
    can_write: bool
    can_delete: bool
    has_create_if_absent: bool
    is_new: bool
    """False when the place already held a dataver remote, which was adopted."""


@dataclass(frozen=True, slots=True)
class RemoteListResult(Result):
    remotes: tuple[RemoteInfo, ...]


@dataclass(frozen=True, slots=True)
class Stored:
    """Things of one sort on a remote."""

    what: str
    """`blob`, `chunk`, `recipe`, `leaf`, `root`, or in the plural what a field is called after."""
    count: int
    size: int


@dataclass(frozen=True, slots=True)
class RequestEstimate:
    """About how many requests a million files of the size of those on a remote take."""

    push: int
    """Sent at once, by a clone that knows the remote."""
    pull: int
    """Into an empty clone, from packs filled as those on the remote are."""
    idle: int
    """A push with nothing new; a pull with nothing new takes no listing, and so fewer."""


@dataclass(frozen=True, slots=True)
class RemoteStatsResult(Result):
    remote: str
    url: str
    """Without credentials."""
    kinds: tuple[Stored, ...]
    """Objects of each kind; of one that lies in several packs each copy counts, by its stored bytes."""
    is_sampled: bool
    """True when the bytes of kinds were told from a sample of what large segments list."""
    packs: Stored
    """Packs that a live segment names, and that are there."""
    segments: Stored
    """Live segments that are there."""
    rows: int
    """Rows of live segments."""
    missing_packs: Stored
    """Packs that a live segment names, and that are gone or of another size."""
    garbage_packs: Stored
    """Packs that no live segment names: of broken pushes, or of writers at work."""
    garbage_segments: Stored
    """Segments that are not live."""
    journal: Stored
    """Entries of the journal."""
    states: Stored
    writers: tuple[str, ...]
    """Leases of writers at work."""
    files_per_pack: float
    """0.0 where there are no files."""
    estimate: RequestEstimate | None
    """None where there are no files to tell from."""
    listings: int
    """Requests that listed the remote; a listing takes one for each page."""
    requests: int
    """All requests that this took."""
    seconds: float


@dataclass(frozen=True, slots=True)
class ConfigValue:
    key: str
    value: object
    origin: str
    """`command line`, an environment variable's name, or a file's path."""


@dataclass(frozen=True, slots=True)
class ConfigListResult(Result):
    values: tuple[ConfigValue, ...]
