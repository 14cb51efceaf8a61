"""`status` as text and as porcelain.  Pure: a result in, lines or bytes out."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from dataver.cli.wording import Page, counted, name, number, quoted
from dataver.errors import show_bytes

if TYPE_CHECKING:
    from dataver import Change, StatusResult, TargetStatus

FEW = 10
"""Up to so many changes of a target are listed one by one without `--verbose`."""
FEW_TARGETS = 20

_ORDER = ("added", "deleted", "modified", "type", "renamed", "unsafe")
_WORDS = {"type": "of another type"}


def page(result: StatusResult, *, is_long: bool = False) -> Page:
    """Return what `status` says to a person."""
    if not result.targets:
        return Page(["Nothing is tracked yet."], ["hint: dataver add <path>"], is_data=True)
    telling = [t for t in result.targets if is_long or not _is_plain(t)]
    if len(result.targets) <= FEW_TARGETS:
        telling = list(result.targets)
    names = {t.path: name(t.path, is_folder=t.is_folder) for t in telling}
    width = max(map(len, names.values()), default=0)
    lines: list[str] = []
    for target in telling:
        lines.append(f"{names[target.path]:<{width}}   {_summary(target, result)}")
        if is_long or len(target.changes) <= FEW:
            lines += [f"    {_change_line(change)}" for change in target.changes]
        lines += _conflict_lines(target, most=len(target.conflicts) if is_long else FEW)
    others = len(result.targets) - len(telling)
    if others:
        lines.append(f"{counted(others, 'other target')} clean" if telling else _all_clean(result))
    return Page(lines, _hints(result), is_data=True)


def _conflict_lines(target: TargetStatus, *, most: int) -> list[str]:
    """Return the paths that both sides of a merge changed."""
    lines = [f"    {'conflict':<9} {name(path)}" for path in target.conflicts[:most]]
    more = len(target.conflicts) - len(lines)
    return [*lines, f"    and {number(more)} more: --verbose lists all"] if more else lines


def _is_plain(target: TargetStatus) -> bool:
    return (
        target.state == "clean"
        and target.git == "committed"
        and not (target.changes or target.missing or target.erased or target.remote_missing)
    )


def _all_clean(result: StatusResult) -> str:
    files = sum(target.files for target in result.targets)
    return f"{counted(len(result.targets), 'target')} clean, {counted(files, 'file')}"


# -- one target -------------------------------------------------------------------------------------


def _summary(target: TargetStatus, result: StatusResult) -> str:
    """Return what stands behind a target's name: the state, then in brackets where it is."""
    said = ", ".join(_said(target)) or "clean"
    remarks = _remarks(target, result)
    return f"{said}      ({'; '.join(remarks)})" if remarks else said


def _said(target: TargetStatus) -> list[str]:
    pointer = name(target.pointer)
    if target.state == "conflict":
        return [f"conflict: {pointer} was changed on both sides"]
    said = []
    if target.git == "deleted":
        said.append(f"{pointer} was deleted")
    if target.git == "moved":
        said.append(f"moved from {name(target.moved_from)}")
    if target.state == "error":
        said.append(f"error: {pointer} cannot be read")
    said += _counts(target.changes)
    if target.state == "absent":
        said.append(f"absent: {counted(target.files, 'file')}, {target.size_text}")
    elif target.sparse:
        said.append(f"{number(target.files - target.absent)} of {counted(target.files, 'file')} here")
    elif target.absent:
        said.append(f"{number(target.absent)} of {counted(target.files, 'file')} absent")
    if _is_missing(target):
        said.append(f"{counted(target.missing, 'file')} neither here nor in the cache")
    if target.erased:
        by = f" ({', '.join(target.erasures)})" if target.erasures else ""
        said.append(f"{counted(target.erased, 'file')} erased{by}")
    if target.remote_missing:
        said.append(f"{counted(target.remote_missing, 'object')} not on the remote")
    if target.state == "clean" and not said:
        said.append(f"clean: {counted(target.files, 'file')}, {target.size_text}")
    return said


def _is_missing(target: TargetStatus) -> bool:
    """Tell whether files that should be here are nowhere here; what was never wanted is not missed."""
    return bool(target.missing) and target.state != "absent" and not target.sparse


def _counts(changes: Iterable[Change]) -> list[str]:
    found = dict.fromkeys(_ORDER, 0)
    for change in changes:
        found[change.kind] = found.get(change.kind, 0) + 1
    return [f"{number(count)} {_WORDS.get(kind, kind)}" for kind, count in found.items() if count]


def _remarks(target: TargetStatus, result: StatusResult) -> list[str]:
    pointer = name(target.pointer)
    remarks = []
    if target.at:
        remarks.append(f"{pointer} is at {_head_name(result)}, the workspace at {target.at}")
    if target.sparse:
        inner = name(target.path, is_folder=True)
        remarks.append(f"{', '.join(inner + pattern for pattern in target.sparse)} only")
    words = {
        "added": "is staged",
        "staged": "is staged",
        "modified": "is not staged",
        "untracked": "is not in Git",
    }
    if target.git in words:
        remarks.append(f"{pointer} {words[target.git]}")
    return remarks


def _head_name(result: StatusResult) -> str:
    return result.head_name or result.head[:7] or "nothing"


def _change_line(change: Change) -> str:
    text = f"{change.kind:<9} {name(change.path)}"
    if change.kind == "renamed" and change.old:
        text = f"{change.kind:<9} {name(change.old.path)} -> {name(change.path)}"
    elif change.kind == "added" and change.new:
        text += f"  {show_bytes(change.new.size)}"
    note = change.note.removeprefix(f"{name(change.path)}: ")
    return f"{text}  ({note})" if note else text


# -- hints ------------------------------------------------------------------------------------------


def _hints(result: StatusResult) -> list[str]:
    """Return the next commands that make sense, each once; what is most pressing first."""
    found: dict[str, None] = {}
    for target in result.targets:
        for hint in _hints_of(target, result):
            found.setdefault(f"hint: {hint}")
    return list(found)


def _hints_of(target: TargetStatus, result: StatusResult) -> list[str]:
    path, pointer = quoted([target.path]), quoted([target.pointer])
    if target.state == "conflict":
        return [f"dataver resolve --union|--ours|--theirs {pointer}"]
    hints = []
    if target.git == "untracked":
        hints.append(f"git add {pointer}")
    elif target.git == "moved":
        hints.append("dataver checkout moves the data after its pointer")
    if target.at:
        hints.append(f"dataver checkout brings the workspace to {_head_name(result)}")
    elif any(change.kind != "unsafe" for change in target.changes):
        hints.append(f"dataver add {path} records the changes; dataver checkout {path} undoes them")
    if target.state == "absent" or _is_missing(target) or (target.absent and not target.sparse):
        hints.append(_hint_to_bring(target, result))
    if target.remote_missing:
        hints.append("dataver push sends what the remote lacks")
    return hints


def _hint_to_bring(target: TargetStatus, result: StatusResult) -> str:
    if result.has_remote:
        return "dataver pull brings the data here"
    if _is_missing(target) or result.is_fresh_clone:
        return "dataver remote add origin URL, then dataver pull brings the data here"
    return "dataver checkout brings the data here"


# -- porcelain --------------------------------------------------------------------------------------

_POINTER_LETTERS = {
    "committed": " ",
    "added": "A",
    "staged": "M",
    "modified": "M",
    "untracked": "?",
    "deleted": "D",
    "moved": "R",
}
_CHANGE_LETTERS = {"added": "A", "modified": "M", "deleted": "D", "type": "T", "renamed": "R", "unsafe": "U"}


def porcelain(result: StatusResult, *, has_nul: bool = False) -> bytes:
    """Return `XY path` lines that stay as they are between releases.

    X is the pointer against HEAD, Y the workspace against the pointer.  A target has a line of its
    own where something is to be said of it as a whole.  With *has_nul* entries end with NUL, names
    are bare bytes, and a rename is the new name, NUL, the old one.
    """
    rows: list[bytes] = []
    for target in result.targets:
        letters = _POINTER_LETTERS.get(target.git, " ") + _target_letter(target)
        if letters != "  ":
            rows.append(_row(letters, target.path, target.moved_from, has_nul=has_nul))
        for change in target.changes:
            old = change.old.path if change.kind == "renamed" and change.old else b""
            rows.append(_row(" " + _CHANGE_LETTERS.get(change.kind, "M"), change.path, old, has_nul=has_nul))
        rows += [_row(" C", path, b"", has_nul=has_nul) for path in target.conflicts]
    return b"".join(rows)


def _target_letter(target: TargetStatus) -> str:
    if target.state in ("conflict", "error"):
        return "C" if target.state == "conflict" else "E"
    if _is_missing(target):
        return "!"
    return "-" if target.absent or target.state == "absent" else " "


def _row(letters: str, path: bytes, old: bytes, *, has_nul: bool) -> bytes:
    if has_nul:
        return b"%s %s\0" % (letters.encode(), path) + (old + b"\0" if old else b"")
    return b"%s %s\n" % (letters.encode(), (_quoted_row(old) + b" -> " if old else b"") + _quoted_row(path))


def _quoted_row(path: bytes) -> bytes:
    """Return *path* as Git prints one: in double quotes and escaped where a line could not hold it."""
    try:
        text = path.decode()
    except UnicodeDecodeError:
        text = ""
    if text and text.isprintable() and not set(text) & set('"\\'):
        return path
    plain = {ord('"'): b'\\"', ord("\\"): b"\\\\", 10: b"\\n", 9: b"\\t"}
    return (
        b'"'
        + b"".join(plain.get(b) or (bytes((b,)) if 32 <= b < 127 else b"\\%03o" % b) for b in path)
        + b'"'
    )
