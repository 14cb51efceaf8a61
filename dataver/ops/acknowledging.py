"""What this clone has applied of the erasure records: noted beside their mirrors, said on the remotes."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from dataver.disk.atomic import make_folders, replace
from dataver.repo import Repo
from dataver.store.remote import Remote
from dataver.transfer.connect import folder_of


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

    @classmethod
    def load(cls, common_folder: str) -> Applied:
        """Return what was noted; nothing where there is no note, or a damaged one."""
        try:
            with open(_path(common_folder), "rb") as file:
                version, basis, state, said, copies = json.loads(file.read())
            if version == 1:
                acknowledged = {str(k): int(v) for k, v in said.items()}
                return cls(list(basis), str(state), acknowledged, [str(name) for name in copies])
        except (OSError, ValueError, TypeError, AttributeError):
            pass
        return cls()

    def save(self, repo: Repo) -> None:
        """Write it down.  Raises: local errors."""
        text = json.dumps([1, self.basis, self.state, self.acknowledged, self.copies])
        make_folders(repo.disk, folder_of(repo.common_folder))
        replace(repo.disk, _path(repo.common_folder), text.encode())


def _path(common_folder: str) -> str:
    return f"{folder_of(common_folder)}/obeyed"


def acknowledge(repo: Repo, remote: Remote, *, has_moved: bool) -> None:
    """Say on *remote* how far its journal was applied here, where that is news.

    The caller has obeyed all of it.  *has_moved*: there were entries that this clone had not seen.
    """
    applied = Applied.load(repo.common_folder)
    newest = max((record.seq for record in remote.records()), default=0)
    if has_moved or applied.acknowledged.get(remote.local_name, 0) < newest:
        remote.register(repo.repo_id, repo.clone_id)
        if newest:
            applied.acknowledged[remote.local_name] = remote.seen.seq
            applied.save(repo)
