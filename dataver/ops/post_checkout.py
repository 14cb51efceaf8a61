"""What Git's hooks call after a switch, a merge or a rebase: the data follows its pointers."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from dataver.progress import SILENT, Progress
from dataver.repo import Repo
from dataver.workspace.pointers import Target

if TYPE_CHECKING:  # making the classes of all results takes 20 ms
    from dataver.model.results import CheckoutResult


def git_post_checkout(repo: Repo, *, progress: Progress = SILENT) -> CheckoutResult | None:
    """Check out the pointers that Git has changed since the workspace was brought to them; None for none.

    For post-checkout, post-merge and post-rewrite.  Never uses the network and never replaces what is
    not in the cache; a version that was checked out by name stays while its pointer does.
    """
    stale = [target.path for target in repo.targets() if _is_stale(repo, target)]
    if not stale:
        return None
    from dataver.ops.checkout import checkout  # 60 ms that a hook with nothing to do does not pay

    top = os.fsencode(repo.top)
    return checkout(repo, None, [top + b"/" + path for path in stale], progress=progress)


def _is_stale(repo: Repo, target: Target) -> bool:
    if target.pointer is None or target.is_conflict or not target.disk_blob:
        return False
    record = repo.records.load(target.path)
    if record is None:
        return True
    return target.pointer.root_id not in (record.root_id, record.beside)
