"""Permanent deletion from where a remote lies: what an adapter for one kind of storage has to offer.

Erasure never goes through a filesystem's plain `rm`: on a versioned bucket that leaves every
version, or hides the wrong one.  An `Eraser` sees versions, delete markers and unfinished uploads
one by one, and deletes exactly those that it is given.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol, TypeVar

from dataver.errors import Failure, RemoteError

UNVERIFIABLE_HINT = "dataver purge run PLAN --accept-unverifiable"
_ROUNDS = 8


class Stored(NamedTuple):
    """One version of one key, or a delete marker."""

    key: str
    """Relative to the remote's prefix."""
    version: str
    """The store's own id of the version; empty where a key has only one."""
    size: int
    modified_s: float
    """Seconds since 1970 by the store's clock."""
    is_marker: bool
    is_current: bool


class Upload(NamedTuple):
    """An unfinished upload, whose parts take room and can be read by nobody yet."""

    key: str
    upload_id: str
    started_s: float


Item = TypeVar("Item", Stored, Upload)


class Obstacle(NamedTuple):
    """What stands in the way of erasing; an erasure that meets one changes nothing."""

    code: Literal["access-denied", "object-lock", "hold", "retention", "unverifiable"]
    message: str
    """For people: which right, hold or lock, on what."""
    hint: str


@dataclass(frozen=True, slots=True)
class Facts:
    """What was found out about a store before anything is changed."""

    kind: Literal["folder", "s3", "gcs", "memory", "other"]
    versioning: Literal["off", "on", "suspended", "unknown"]
    obstacles: tuple[Obstacle, ...] = ()
    soft_delete_s: int = 0
    """For how long the provider keeps what was deleted; then it is restricted, not erased."""
    notes: tuple[str, ...] = ()
    """What erasing here cannot reach, such as a replica; it stands in the receipt."""


class Eraser(Protocol):
    """One remote's storage, seen with all its versions.  Methods raise errors of `dataver.errors` only."""

    @property
    def kind(self) -> Literal["folder", "s3", "gcs", "memory", "other"]: ...

    def examine(self) -> Facts:
        """Find out rights, versioning, soft delete, locks, holds, replication; writes nothing that stays.

        Raises: OfflineError, BucketNotFoundError, NoCredentialsError.
        """

    def versions(self, prefix: str) -> Iterator[Stored]:
        """Yield every version and delete marker of each key that begins with *prefix*.

        Raises: AccessDeniedError where versions may not be listed: that is "cannot see", never "none".
        """

    def uploads(self, prefix: str) -> Iterator[Upload]:
        """Yield every unfinished upload of a key that begins with *prefix*.

        In a folder these are temp files, which need not say of which key they are: one that does
        not stands under its own name.  Raises: AccessDeniedError.
        """

    def read(self, stored: Stored) -> bytes:
        """Return the bytes of one version.  Raises: KeyMissingError."""

    def is_readable(self, stored: Stored) -> bool:
        """Tell whether asking for one recorded version still gives bytes.  Raises: AccessDeniedError."""

    def soft_deleted(self, prefix: str) -> Iterator[Stored]:
        """Yield what was deleted and could still be restored by the provider's soft delete."""

    def holds(self, keys: Collection[str]) -> list[Obstacle]:
        """Return what keeps versions of exactly *keys* from being deleted: retentions, locks, holds.

        Asked of each version where the store has such things; that it may not be asked is an
        obstacle too.  Raises: OfflineError, BucketNotFoundError.
        """

    def erase(self, items: Sequence[Stored | Upload]) -> list[Failure]:
        """Delete exactly these for good; return one failure for each that stays."""


def erase_keys(eraser: Eraser, keys: Collection[str], alive: Callable[[], None]) -> list[Failure]:
    """Erase *keys* with all their versions, delete markers and unfinished uploads, until none is listed.

    A neighbour whose name begins alike stays.  *alive* is called now and then.  Returns a failure
    for each key of which something stays.  Raises: AccessDeniedError, OfflineError.
    """
    wanted = set(keys)
    failures: list[Failure] = []
    for _ in range(_ROUNDS):
        left = list(remaining(eraser, wanted))
        if not left:
            return []
        failures = eraser.erase(left)
        alive()
        if failures:
            break
    still = sorted({one.key for one in remaining(eraser, wanted)})
    # A store may say that all was deleted, and list it again.
    return (failures or [_still_there(key) for key in still]) if still else []


def remaining(eraser: Eraser, keys: Collection[str]) -> Iterator[Stored | Upload]:
    """Yield every version, delete marker and unfinished upload of exactly *keys*."""
    yield from of_keys(eraser.versions, keys)
    yield from of_keys(eraser.uploads, keys)


def of_keys(listing: Callable[[str], Iterator[Item]], keys: Collection[str]) -> Iterator[Item]:
    """Yield what *listing* gives of exactly *keys*; each of their folders is listed once."""
    wanted = set(keys)
    for prefix in folders_of(wanted):
        yield from (one for one in listing(prefix) if one.key in wanted)


def folders_of(keys: Iterable[str]) -> list[str]:
    """Return the beginnings of *keys* up to their last slash, sorted: what to list for them."""
    return sorted({key[: key.rfind("/") + 1] for key in keys})


def _still_there(key: str) -> Failure:
    return RemoteError(f"{key} is still listed after it was deleted").failure()
