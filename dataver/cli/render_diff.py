"""`diff` as text, as names, by folder and as Markdown.  Pure: a result in, a page of lines out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dataver.cli.wording import Page, changes_in_short, name, signed_size
from dataver.errors import show_bytes

if TYPE_CHECKING:
    from dataver import Change, DiffResult, FolderChange, TargetDiff

FEW = 10
"""Up to so many changes of a target are listed one by one without `--verbose`."""
MOST_ROWS = 50
"""A Markdown table lists so many paths a target."""

_MARKS = {"added": "+", "deleted": "-", "modified": "~", "type": "~", "renamed": ">", "unsafe": "!"}


def page(result: DiffResult, *, is_long: bool = False) -> Page:
    """Return one line a target, and the changes below it where they are few."""
    names = {t.path: name(t.path, is_folder=t.is_folder) for t in result.targets}
    width = max(map(len, names.values()), default=0)
    lines: list[str] = []
    for target in result.targets:
        lines.append(f"{names[target.path]:<{width}}   {_in_short(target)}")
        if is_long or len(target.changes) <= FEW:
            lines += [f"    {change_line(change)}" for change in target.changes]
    return Page(lines, _notes(result), is_data=True)


def names_only(result: DiffResult) -> Page:
    """Return the path of each change, and of a rename the old one too."""
    lines: list[str] = []
    for target in result.targets:
        for change in target.changes:
            if change.kind == "renamed" and change.old:
                lines.append(name(change.old.path))
            lines.append(name(change.path))
    return Page(lines, is_data=True)


def by_folder(result: DiffResult) -> Page:
    """Return for each folder with a change below it what changed, and its checksums."""
    lines: list[str] = []
    for target in result.targets:
        lines.append(f"{name(target.path, is_folder=target.is_folder)}   {_in_short(target)}")
        for folder in target.folders:
            lines.append(f"    {name(folder.path, is_folder=True)}   {_folder_in_short(folder)}")
    return Page(lines, _notes(result), is_data=True)


def markdown(result: DiffResult) -> Page:
    """Return a Markdown table, as a review wants it."""
    lines = [f"### Data: {result.old} → {result.new}", ""]
    if not result.targets:
        return Page([*lines, "No change."], is_data=True)
    lines += ["| data | change |", "| --- | --- |"]
    lines += [
        f"| {_cell(name(target.path, is_folder=target.is_folder))} | {_in_short(target)} |"
        for target in result.targets
    ]
    for target in result.targets:
        lines += _table_of(target)
    return Page(lines, is_data=True)


def _table_of(target: TargetDiff) -> list[str]:
    if not target.changes:
        return []
    lines = ["", "| change | path | old size | size |", "| --- | --- | ---: | ---: |"]
    for change in target.changes[:MOST_ROWS]:
        old, new = change.old, change.new
        where = _cell(name(change.path))
        if change.kind == "renamed" and old:
            where = f"{_cell(name(old.path))} → {where}"
        sizes = f"{show_bytes(old.size) if old else ''} | {show_bytes(new.size) if new else ''}"
        lines.append(f"| {change.kind} | {where} | {sizes} |")
    more = len(target.changes) - MOST_ROWS
    return [*lines, "", f"and {more:,} more"] if more > 0 else lines


def _cell(text: str) -> str:
    """Return *text* as code in a cell of a table; a backtick or a bar in it ends neither."""
    fence = "``" if "`" in text else "`"
    pad = " " if fence == "``" else ""
    return f"{fence}{pad}{text}{pad}{fence}".replace("|", "\\|")


def _in_short(target: TargetDiff) -> str:
    if target.note and not target.changes:
        return target.note
    counts = (
        target.count("added"),
        target.count("deleted"),
        target.count("modified") + target.count("type"),
        target.count("renamed"),
    )
    short = changes_in_short(counts, sum(change.size_change for change in target.changes))
    unsafe = target.count("unsafe")
    if unsafe:
        short = f"{unsafe:,} unsafe" if short == "no change" else f"{short}  {unsafe:,} unsafe"
    return f"{short}  ({target.note})" if target.note else short


def _folder_in_short(folder: FolderChange) -> str:
    counts = (folder.added, folder.deleted, folder.modified, folder.renamed)
    old, new = folder.old_checksum[:12] or "none", folder.new_checksum[:12] or "none"
    return f"{changes_in_short(counts, folder.size_change)}   {old} -> {new}"


def change_line(change: Change) -> str:
    """Return one change as a line: a mark, the path, the size or by how much it changed."""
    mark = _MARKS.get(change.kind, "?")
    shown = name(change.path)
    if change.kind == "renamed" and change.old:
        return f"{mark} {name(change.old.path)} -> {shown}"
    if change.note:
        return f"{mark} {shown}  ({change.note.removeprefix(f'{shown}: ')})"
    if change.kind == "added" and change.new:
        return f"{mark} {shown}  {show_bytes(change.new.size)}"
    if change.kind == "modified":
        return f"{mark} {shown}  {signed_size(change.size_change)}"
    return f"{mark} {shown}{'  (another type)' if change.kind == 'type' else ''}"


def _notes(result: DiffResult) -> list[str]:
    return (
        [] if result.targets or result.failed else [f"No difference between {result.old} and {result.new}."]
    )
