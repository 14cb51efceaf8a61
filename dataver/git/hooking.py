"""What hooks ask of git: where they lie, which of the ids they are told are commits, who knows a blob."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import NamedTuple

from dataver.git.place import GitPlace
from dataver.git.program import Program

_UNFINISHED = ("MERGE_HEAD", "CHERRY_PICK_HEAD", "REVERT_HEAD", "REBASE_HEAD")


class HooksPlace(NamedTuple):
    """Where git looks for the hooks of a work tree."""

    folder: str
    """Absolute, without symlinks; it may not exist."""
    setting: str
    """`core.hooksPath` as it stands in git's config; empty for the default place."""
    scope: str
    """Which config says so, such as `local` or `global`; empty for the default place."""


def hooks_place(place: GitPlace) -> HooksPlace:
    """Return where the hooks of a work tree lie: in the common folder, or where `core.hooksPath` says.

    Raises: GitCommandError.
    """
    program = Program(place.top)
    asked = ("config", "--show-scope", "--type=path", "-z", "--get", "core.hooksPath")
    done = program.attempt(*asked)
    if done.status > 1:
        raise program.error_of(asked, done)
    scope, _, value = done.stdout.partition(b"\0")
    setting = os.fsdecode(value.rstrip(b"\0"))
    if done.status or not setting:
        return HooksPlace(os.path.realpath(f"{place.common_dir}/hooks"), "", "")
    # A relative one counts from where hooks run: the top of the work tree.
    return HooksPlace(os.path.realpath(os.path.join(place.top, setting)), setting, scope.decode())


def commits_among(place: GitPlace, ids: Iterable[str]) -> list[str]:
    """Return those of *ids* that name a commit in this repository, a tag of one included, in their order."""
    asked = list(dict.fromkeys(ids))
    if not asked:
        return []
    stdin = "".join(f"{name}^{{commit}}\n" for name in asked).encode()
    said = Program(place.top).ask("cat-file", "--batch-check=%(objecttype)", stdin=stdin)
    return [name for name, kind in zip(asked, said.split(b"\n"), strict=False) if kind == b"commit"]


def is_known_blob(place: GitPlace, blob: str) -> bool:
    """Tell whether a commit of any ref, or of a merge that is under way, has the blob *blob*."""
    program = Program(place.top)
    heads = commits_among(place, _UNFINISHED)
    looked = ("log", "-1", "--format=%H", "-m", "--no-show-signature", f"--find-object={blob}", "--all")
    done = program.attempt(*looked, *heads, "--")
    return not done.status and bool(done.stdout.strip())
