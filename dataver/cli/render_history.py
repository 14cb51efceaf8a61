"""`log` and `resolve` as text, and as the `data` of their JSON documents.  Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dataver
from dataver.cli.render_diff import change_line
from dataver.cli.render_json import change_of, path_of
from dataver.cli.wording import Page, changes_in_short, counted, name, quoted
from dataver.errors import show_bytes

if TYPE_CHECKING:
    from dataver import Conflict, LoggedCommit, LoggedTarget, LogResult, ResolvedTarget, ResolveResult

Json = dict[str, Any]
FEW = 10
"""So many paths of a target are listed without `--verbose`."""
MOST = 100
"""So many with it, of one commit and target; `--json` has up to a thousand."""


# -- log ------------------------------------------------------------------------------------------


def logged(result: LogResult, *, is_long: bool = False, is_names: bool = False) -> Page:
    """Return two lines a commit: what it is, and what it changed."""
    lines: list[str] = []
    for commit in result.commits:
        lines.append(f"{commit.sha[:8]}  {commit.date[:10]}  {_head(commit)}")
        for target in commit.targets:
            if not is_names:
                shown = name(target.path, is_folder=target.is_folder)
                lines.append(f"    {shown}   {_in_short(target)}")
            if is_long or is_names:
                lines += _paths(target, is_names=is_names)
    notes = [] if result.commits or result.failed else ["No commit changed it."]
    if result.has_more:
        notes.append(f"Only the last {counted(len(result.commits), 'commit')}; -n N shows more.")
    return Page(lines, notes, is_data=True)


def _head(commit: LoggedCommit) -> str:
    author = "".join(c if c.isprintable() else "?" for c in commit.author)
    subject = "".join(c if c.isprintable() else "?" for c in commit.subject)
    return f"{author}  {subject}{'  (merge)' if commit.is_merge else ''}"


def _in_short(target: LoggedTarget) -> str:
    """Return what a commit did to a target, in one line."""
    said = []
    if target.state == "added":
        said.append("added")
    elif target.state == "deleted":
        said.append("deleted")
    elif target.moved_from:
        said.append(f"moved from {name(target.moved_from)}")
    only = target.changes[0] if len(target.changes) == 1 and not target.is_folder else None
    counts = (target.added, target.deleted, target.modified, target.renamed)
    if only is not None and only.old is not None and only.new is not None and only.kind != "renamed":
        said.append(f"{show_bytes(only.old.size)} -> {show_bytes(only.new.size)}")
    elif only is not None and only.kind == "renamed" and only.old is not None and not target.moved_from:
        said.append(f"renamed {name(only.old.path)} -> {name(only.path)}")
    elif only is not None and (only.new or only.old):
        entry = only.new or only.old
        said.append(show_bytes(entry.size) if entry else "")
    elif target.state in ("added", "deleted") and not target.changes:
        said.append(
            f"{counted(target.added or target.deleted, 'file')}, {show_bytes(abs(target.size_change))}"
        )
    elif any(counts):
        said.append(changes_in_short(counts, target.size_change))
    elif target.state == "unknown":
        said.append(f"{target.old_files:,} -> {counted(target.files, 'file')}")
    if target.note:
        said.append(f"({target.note})")
    return "   ".join(part for part in said if part) or "no change"


def _paths(target: LoggedTarget, *, is_names: bool) -> list[str]:
    shown = [name(c.path) if is_names else change_line(c) for c in target.changes[:MOST]]
    if is_names and not target.changes:
        shown = [name(target.path)]
    total = target.added + target.deleted + target.modified + target.renamed
    more = total - len(shown) if target.changes else 0
    lines = [f"        {line}" for line in shown]
    return [*lines, f"        and {more:,} more"] if more > 0 else lines


# -- resolve --------------------------------------------------------------------------------------


def resolved(result: ResolveResult) -> Page:
    """Return one line a target, below it what is in conflict still, and what comes next."""
    if not result.targets and not result.failed:
        return Page(["Nothing is in conflict."])
    lines: list[str] = []
    for target in result.targets:
        lines += _resolved_lines(target, is_dry=result.dry_run)
    done = [t for t in result.targets if t.is_resolved]
    notes = []
    if done and not result.dry_run:
        verb = "pull" if any(t.absent for t in done) else "checkout"
        paths = quoted([t.path for t in done if not t.is_deleted])
        notes.append(f"Next: dataver {verb} {paths}, then git commit" if paths else "Next: git commit")
    return Page(lines, notes)


def _resolved_lines(target: ResolvedTarget, *, is_dry: bool) -> list[str]:
    shown = name(target.path, is_folder=target.is_folder)
    if not target.is_resolved:
        decided = f", {target.decided:,} decided" if target.decided else ""
        lines = [f"In conflict: {shown}   {counted(len(target.conflicts), 'path')} left{decided}"]
        if not target.conflicts:
            lines = [f"In conflict: {shown}   {target.note}"]
        lines += [f"    {_conflict_line(c)}" for c in target.conflicts[:FEW]]
        if len(target.conflicts) > FEW:
            lines.append(f"    and {len(target.conflicts) - FEW:,} more: --json lists all")
        return [*lines, *(f"    both modified: {key} in [note]" for key in target.note_keys)]
    counts = {kind: sum(c.kind == kind for c in target.changes) for kind in ("added", "deleted", "renamed")}
    modified = len(target.changes) - sum(counts.values())
    grown = sum(change.size_change for change in target.changes)
    what = changes_in_short((counts["added"], counts["deleted"], modified, counts["renamed"]), grown)
    if target.is_deleted:
        what = "deleted, as on one side"
    done = "Would resolve" if is_dry else "Resolved"
    staged = "" if is_dry else f" -> {name(target.pointer)} (staged)"
    lines = [f"{done} {shown}   {what}{staged}"]
    lines += [f"    {name(path)}, theirs: {name(beside)}" for path, beside in target.beside[:FEW]]
    if len(target.beside) > FEW:
        lines.append(f"    and {len(target.beside) - FEW:,} more beside ours: --json lists all")
    return lines


def _conflict_line(conflict: Conflict) -> str:
    paths = [conflict.path, *(e.path for e in (conflict.theirs,) if e is not None)]
    return f"{conflict.kind}: {', '.join(name(path) for path in dict.fromkeys(paths))}"


# -- documents ------------------------------------------------------------------------------------


def data_of(result: LogResult | ResolveResult) -> Json:
    """Return the `data` of the document."""
    return _log(result) if isinstance(result, dataver.LogResult) else _resolve(result)


def _log(result: LogResult) -> Json:
    return {
        "has_more": result.has_more,
        "commits": [
            {
                "commit": commit.sha,
                "author": commit.author,
                "date": commit.date,
                "subject": commit.subject,
                "merge": commit.is_merge,
                "targets": [_logged_target(target) for target in commit.targets],
            }
            for commit in result.commits
        ],
    }


def _logged_target(target: LoggedTarget) -> Json:
    return {
        "path": path_of(target.path),
        "pointer": path_of(target.pointer),
        "kind": "directory" if target.is_folder else "file",
        "state": target.state,
        "from": path_of(target.moved_from) if target.moved_from else None,
        "added": target.added,
        "modified": target.modified,
        "deleted": target.deleted,
        "renamed": target.renamed,
        "size_change": target.size_change,
        "old_files": target.old_files,
        "files": target.files,
        "note": target.note or None,
        "changes": [change_of(change) for change in target.changes],
    }


def _resolve(result: ResolveResult) -> Json:
    return {
        "side": result.side or None,
        "dry_run": result.dry_run,
        "targets": [_resolved_target(target) for target in result.targets],
    }


def _resolved_target(target: ResolvedTarget) -> Json:
    return {
        "path": path_of(target.path),
        "pointer": path_of(target.pointer),
        "kind": "directory" if target.is_folder else "file",
        "resolved": target.is_resolved,
        "deleted": target.is_deleted,
        "decided": target.decided,
        "conflicts": [_conflict(conflict) for conflict in target.conflicts],
        "note_keys": list(target.note_keys),
        "note": target.note or None,
        "changes": [change_of(change) for change in target.changes],
        "beside": [{"path": path_of(path), "theirs": path_of(beside)} for path, beside in target.beside],
        "files": target.files,
        # As the pointer says it, for people: "3.1 GB".
        "size": target.size_text or None,
        "absent": target.absent,
    }


def _conflict(conflict: Conflict) -> Json:
    return {
        "path": path_of(conflict.path),
        "conflict": conflict.kind,
        "base_size": conflict.base.size if conflict.base else None,
        "our_size": conflict.ours.size if conflict.ours else None,
        "their_path": path_of(conflict.theirs.path) if conflict.theirs else None,
        "their_size": conflict.theirs.size if conflict.theirs else None,
    }
