"""`doctor` on what is tracked: pointers, ignore lines, what Git tracks beside them, index and record."""

from __future__ import annotations

import bisect
import os
from collections.abc import Sequence

from dataver.disk.disk import Disk
from dataver.errors import ConflictError, DataverError, TrackedByGitError, show_path
from dataver.git import Git, GitPlace
from dataver.index.columns import load
from dataver.model.tree import after_folder
from dataver.ops.findings import Findings
from dataver.workspace import gitfiles
from dataver.workspace.pointers import Target, list_targets
from dataver.workspace.record import Records, record_name


def look_at_targets(found: Findings, git: Git, place: GitPlace, disk: Disk, *, fix: bool) -> None:
    """Look at every target, whatever is wrong with one."""
    try:
        targets = list_targets(git)
        bad = _look_at_pointers(found, targets)
        present = [t for t in targets if t.disk_blob and not t.is_conflict]
        _look_at_ignore_lines(found, git, present, disk, fix=fix)
        is_tracked = _look_at_git(found, git, present)
    except DataverError as error:
        found.problem("pointers", error)
        return
    if not bad and not is_tracked:
        count = len(present)
        found.ok("pointers", f"{count} tracked" if count else "nothing is tracked yet")
    _look_at_memory(found, place, present, disk)


def _look_at_pointers(found: Findings, targets: Sequence[Target]) -> bool:
    """Note pointers that cannot be read or are in conflict; tell whether there were any."""
    bad = [t for t in targets if t.error is not None or t.is_conflict]
    for target in bad:
        if target.is_conflict:
            shown = show_path(target.path)
            error: DataverError = ConflictError(
                target.pointer_path,
                "changed on both sides of a merge",
                hint=f"dataver resolve --union {shown}, or --ours, or --theirs",
            )
        else:
            assert target.error is not None
            error = target.error
            error.hint = f"git checkout HEAD -- {show_path(target.pointer_path)}"
        found.problem("pointers", error, target.path)
    return bool(bad)


def _look_at_ignore_lines(
    found: Findings, git: Git, targets: Sequence[Target], disk: Disk, *, fix: bool
) -> None:
    """Look whether Git ignores the data; without that `git add .` takes it in."""
    ignored = git.is_ignored([t.path for t in targets])
    open_to_git = [t.path for t in targets if t.path not in ignored]
    for path in open_to_git:
        file = gitfiles.ignore_file_of(path)
        if fix:
            gitfiles.add_line(git.top, file, gitfiles.ignore_line(path), disk)
            git.stage([file], force=True)
            found.mended("ignore", f"{show_path(path)} is in {show_path(file)} now, and staged")
        else:
            found.warn("ignore", f"git does not ignore {show_path(path)}", "dataver doctor --fix")
    if targets and not open_to_git:
        found.ok("ignore", "git ignores all data")


def _look_at_git(found: Findings, git: Git, targets: Sequence[Target]) -> bool:
    """Note data that Git tracks itself; tell whether there was any."""
    tracked = sorted(git.tracked_below(b"")) if targets else []
    is_any = False
    for target in targets:
        low = bisect.bisect_left(tracked, target.path + b"/")
        count = bisect.bisect_left(tracked, after_folder(target.path)) - low
        at = bisect.bisect_left(tracked, target.path)
        count += at < len(tracked) and tracked[at] == target.path
        if count:
            is_any = True
            found.problem("pointers", TrackedByGitError(target.path, count), target.path)
    return is_any


def _look_at_memory(found: Findings, place: GitPlace, targets: Sequence[Target], disk: Disk) -> None:
    """Look at what this work tree remembers: the index, which costs only time, and the record."""
    own = f"{place.git_dir}/dataver"
    records = Records(f"{own}/record", disk)
    is_good = True
    for target in targets:
        name, shown = record_name(target.path), show_path(target.path)
        index, record = f"{own}/index/{name}.columns", f"{own}/record/{name}"
        if os.path.exists(index) and load(index) is None:
            is_good = False
            found.warn(
                "index", f"that of {shown} is damaged, and made anew when next needed", "dataver status"
            )
        try:
            if os.path.exists(record) and records.load(target.path) is None:
                is_good = False
                message = f"that of {shown} is damaged: what is not on disk counts as absent"
                found.warn("record", message, f"dataver checkout {shown}")
        except DataverError as error:
            is_good = False
            found.problem("record", error, target.path)
    if is_good:
        found.ok("index", "index and record can be read")
