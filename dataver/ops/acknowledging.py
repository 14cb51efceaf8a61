"""What this clone has applied of the erasure records: noted beside their mirrors, said on the remotes."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import msgspec

from dataver.disk.atomic import make_folders, replace
from dataver.repo import Repo
from dataver.store.remote import Remote
from dataver.transfer.connect import folder_of

_VERSION = 1
_DAY_S = 86_400


@dataclass(slots=True)
class Applied:
    """The file `obeyed`; disposable: without it all of it is done again."""

    basis: list[object] = field(default_factory=list)
    """What the state was made of: the mirrors' stamps, the pinned signers, whether there is a secret."""
    state: str = ""
    """Digest of the state that was applied to all work trees."""
    acknowledged: dict[str, int] = field(default_factory=dict)
    """Remote id -> the journal entry that was acknowledged there last."""
    copies: list[str] = field(default_factory=list)
    """Names of the copies of segments that were looked at."""
    absent: list[str] = field(default_factory=list)
    """What belongs to work trees whose folders were away, so that their files could not be cleaned."""
    said: dict[str, float] = field(default_factory=dict)
    """Remote id -> when this clone last said anything there, in seconds since 1970."""

    @classmethod
    def load(cls, common_folder: str) -> Applied:
        """Return what was noted; nothing where there is no note, or a damaged one."""
        try:
            with open(_path(common_folder), "rb") as file:
                wire = _decode(file.read())
        except (OSError, msgspec.MsgspecError):
            return cls()
        return wire.applied if wire.version == _VERSION else cls()

    def save(self, repo: Repo) -> None:
        """Write it down.  Raises: local errors."""
        make_folders(repo.disk, folder_of(repo.common_folder))
        replace(repo.disk, _path(repo.common_folder), msgspec.json.encode(_Wire(_VERSION, self)))


class _Wire(msgspec.Struct):
    version: int
    applied: Applied


_decode = msgspec.json.Decoder(_Wire).decode


def _path(common_folder: str) -> str:
    return f"{folder_of(common_folder)}/obeyed"


def acknowledge(repo: Repo, remote: Remote, *, has_moved: bool) -> None:
    """Say on *remote* how far its journal was applied here, where that is news.

    The caller has obeyed all of it.  *has_moved*: there were entries that this clone had not seen.
    Erasure records are news at once; that this clone is alive is news once a day.
    """
    applied = Applied.load(repo.common_folder)
    if is_news(repo, remote, has_moved=has_moved, applied=applied):
        remote.register(repo.repo_id, repo.clone_id)
        applied.acknowledged[remote.local_name] = remote.seen.seq
        applied.said[remote.local_name] = repo.clock.now_s()
        applied.save(repo)


def is_news(repo: Repo, remote: Remote, *, has_moved: bool, applied: Applied | None = None) -> bool:
    """Tell whether `acknowledge` would write to *remote*."""
    applied = applied or Applied.load(repo.common_folder)
    name = remote.local_name
    newest = max((record.seq for record in remote.records()), default=0)
    if applied.acknowledged.get(name, 0) < newest:
        return True
    # A clock that was set back makes it news as well.
    return has_moved and not 0 <= repo.clock.now_s() - applied.said.get(name, -math.inf) < _DAY_S
