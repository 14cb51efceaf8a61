"""What `gc` did, as text and as the `data` of its JSON document.  Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dataver.cli.wording import Page, counted
from dataver.errors import show_bytes

if TYPE_CHECKING:
    from dataver import GcResult

_UNITS = ((604_800, "week"), (86_400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))


def collected(result: GcResult) -> Page:
    """Return what went, what is set aside, and what is kept."""
    if result.forgotten:
        word = "Would forget" if result.dry_run else "Forgot"
        return Page([f"{word} {path}: what only it needs is no longer kept" for path in result.forgotten])
    lines = _lines(result)
    if not lines:
        lines = ["Nothing is set aside" if not result.repos else f"Nothing to collect in {_where(result)}"]
    if result.repos:
        kept = f"{counted(result.kept, 'object')}, {show_bytes(result.kept_size)}"
        word = "repository" if len(result.repos) == 1 else "repositories"
        lines.append(f"Kept {kept}, for {len(result.repos):,} {word}")
    if result.largest:
        lines.append("Largest:")
        lines += [f"    {show_bytes(item.size):>7}  {item.name}" for item in result.largest]
    return Page(lines, _notes(result))


def _lines(result: GcResult) -> list[str]:
    would = "Would " if result.dry_run else ""
    rows = (
        ("Brought back", "bring back", result.restored, result.restored_size, ""),
        ("Set aside", "set aside", result.set_aside, result.set_aside_size, _grace(result)),
        ("Freed", "free", result.freed, result.freed_size, ": the remote holds them"),
        ("Deleted", "delete", result.deleted, result.deleted_size, ""),
    )
    return [
        f"{would + plan if would else done} {counted(count, 'object')}, {show_bytes(size)}{rest}"
        for done, plan, count, size, rest in rows
        if count
    ]


def _grace(result: GcResult) -> str:
    return f": deleted by a gc in {_period(result.grace_s)}"


def _period(seconds: int) -> str:
    size, unit = next((row for row in _UNITS if seconds and seconds % row[0] == 0), _UNITS[-1])
    return counted(seconds // size, unit)


def _where(result: GcResult) -> str:
    return "the cache" if result.where == "cache" else f"remote {result.where}"


def _notes(result: GcResult) -> list[str]:
    notes = []
    if result.waiting and not result.restored and result.where == "cache":
        waiting = f"{counted(result.waiting, 'file')}, {show_bytes(result.waiting_size)}"
        notes.append(f"Set aside now: {waiting} (dataver gc --undo brings them back)")
    if result.dry_run and result.where != "cache" and result.deleted:
        notes.append(f"Next: dataver gc --remote {result.where} --apply")
    return notes


def data_of(result: GcResult) -> dict[str, Any]:
    """Return the `data` of the document of `gc`; sizes are in bytes."""
    return {
        "where": result.where,
        "dry_run": result.dry_run,
        "kept": result.kept,
        "kept_bytes": result.kept_size,
        "set_aside": result.set_aside,
        "set_aside_bytes": result.set_aside_size,
        "deleted": result.deleted,
        "deleted_bytes": result.deleted_size,
        "freed": result.freed,
        "freed_bytes": result.freed_size,
        "restored": result.restored,
        "restored_bytes": result.restored_size,
        "waiting": result.waiting,
        "waiting_bytes": result.waiting_size,
        "packs": result.packs,
        "copied_bytes": result.copied_size,
        "seq": result.seq,
        "grace_s": result.grace_s,
        "largest": [{"name": item.name, "bytes": item.size} for item in result.largest],
        "repos": list(result.repos),
        "forgotten": list(result.forgotten),
    }
