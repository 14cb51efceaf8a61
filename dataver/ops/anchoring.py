"""How far the remotes' journals were when data was erased: noted in Git, and compared with what is there."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable

from dataver.disk.atomic import replace
from dataver.errors import OldLogError, local_error
from dataver.formats.anchors import FILE, MAX_SIZE, Anchor, decode_anchors, encode_anchors, merged
from dataver.repo import Repo
from dataver.store.remote import Remote
from dataver.workspace.erasing import remove_temps


def check_anchor(repo: Repo, remote: Remote, known_seq: int) -> None:
    """Check that a remote's journal is the one that this repository's note names, and no older.

    *known_seq* is how far this clone had read it before: what was seen once is held by the chain.
    A copy of another remote is as old as it is.  Raises: OldLogError; FormatError for the note.
    """
    if remote.local_name != remote.remote_id:
        return
    anchor = load_anchors(repo).get(remote.remote_id)
    if anchor is None or known_seq >= anchor.seq:
        return
    if remote.seen.seq < anchor.seq:
        raise OldLogError(remote.url, f"it has {remote.seen.seq} entries, and had {anchor.seq}")
    if remote.hash_at(anchor.seq) != anchor.entry_hash:
        raise OldLogError(remote.url, f"its entry {anchor.seq} is another one")


def stage_anchors(repo: Repo, remotes: Iterable[Remote], restored: Collection[str] = ()) -> bytes:
    """Note how far the journals of *remotes* are, stage the note, and return its path.

    Those with ids in *restored* were brought back from a backup: what was noted of them holds no more.
    """
    path = f"{repo.top}/{FILE}"
    found = {
        remote.remote_id: Anchor(remote.seen.seq, remote.seen.entry_hash)
        for remote in remotes
        if remote.seen.seq and remote.local_name == remote.remote_id
    }
    before = {i: anchor for i, anchor in load_anchors(repo).items() if i not in restored}
    text = encode_anchors(merged(before, found))
    try:
        with open(path, "rb") as file:
            is_same = file.read(MAX_SIZE + 1) == text
    except OSError:
        is_same = False
    if not is_same:
        replace(repo.disk, path, text)
    # What a run that was killed left beside it would be taken for a file of the user's.
    remove_temps(repo.disk, repo.clock, os.path.dirname(path))
    repo.git.stage([FILE.encode()])
    return FILE.encode()


def load_anchors(repo: Repo) -> dict[str, Anchor]:
    """Return how far the journals were when data was erased last, by remote id.

    Raises: FormatError, UnsupportedError; local errors.
    """
    path = f"{repo.top}/{FILE}"
    try:
        with open(path, "rb") as file:
            return decode_anchors(file.read(MAX_SIZE + 1))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise local_error(error, path) from error
