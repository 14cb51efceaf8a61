"""`remote stats` as text and as the `data` of its JSON document.  Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dataver.cli.wording import Page, counted, number
from dataver.errors import show_bytes

if TYPE_CHECKING:
    from dataver import RemoteStatsResult, RequestEstimate, Stored

_PLURALS = {"leaf": "leaves"}


def counted_up(result: RemoteStatsResult) -> Page:
    """Return what lies on a remote: a line for each sort of thing, and what transfers cost."""
    about = "about " if result.is_sampled else ""
    rows = [
        (_plural(kind.what), f"{number(kind.count)}, {about}{show_bytes(kind.size)}") for kind in result.kinds
    ]
    rows.append(("packs", _amount(result.packs)))
    rows.append(("segments", f"{_amount(result.segments)}, {counted(result.rows, 'row')}"))
    rows.append(("journal", f"{_entries(result.journal.count)}, {show_bytes(result.journal.size)}"))
    rows.append(("states", _amount(result.states)))
    rows.append(
        ("missing", counted(result.missing_packs.count, "pack") if result.missing_packs.count else "nothing")
    )
    rows.append(("garbage", _garbage(result)))
    rows.append(("at work", counted(len(result.writers), "writer") if result.writers else "nobody"))
    lines = [f"Remote {result.remote} = {result.url}"]
    lines += [f"    {word:<9} {text}" for word, text in rows]
    if result.estimate is not None:
        lines.append(f"    {'estimate':<9} {_estimate(result.estimate, result.files_per_pack)}")
    took = f"Took {counted(result.requests, 'request')}, {number(result.listings)} of them to list it"
    return Page([*lines, took], _notes(result), is_data=True)


def _plural(what: str) -> str:
    return _PLURALS.get(what, f"{what}s")


def _amount(stored: Stored) -> str:
    return f"{number(stored.count)}, {show_bytes(stored.size)}"


def _entries(count: int) -> str:
    return "1 entry" if count == 1 else f"{number(count)} entries"


def _garbage(result: RemoteStatsResult) -> str:
    packs, segments = result.garbage_packs, result.garbage_segments
    if not packs.count and not segments.count:
        return "nothing"
    found = f"{counted(packs.count, 'pack')}, {show_bytes(packs.size)}"
    return f"{found}; {counted(segments.count, 'segment')}, {show_bytes(segments.size)}"


def _estimate(estimate: RequestEstimate, files_per_pack: float) -> str:
    return (
        f"for a million such files: push {number(estimate.push)} requests, pull {number(estimate.pull)}"
        f" ({files_per_pack:,.0f} files per pack), nothing new {number(estimate.idle)}"
    )


def _notes(result: RemoteStatsResult) -> list[str]:
    notes = []
    if result.missing_packs.count:
        notes.append(f"hint: dataver verify --remote {result.remote} names what is in missing packs")
    if result.garbage_packs.count or result.garbage_segments.count:
        notes.append(f"hint: dataver gc --remote {result.remote} says what of it may go")
    return notes


# -- JSON -----------------------------------------------------------------------------------------


def data_of(result: RemoteStatsResult) -> dict[str, Any]:
    """Return the `data` of the document of `remote stats`."""
    estimate = result.estimate
    return {
        "remote": result.remote,
        "url": result.url,
        "objects": {kind.what: _data(kind) for kind in result.kinds},
        "sampled": result.is_sampled,
        "packs": _data(result.packs),
        "segments": {**_data(result.segments), "rows": result.rows},
        "missing_packs": _data(result.missing_packs),
        "garbage": {"packs": _data(result.garbage_packs), "segments": _data(result.garbage_segments)},
        "journal": {"entries": result.journal.count, "bytes": result.journal.size},
        "states": _data(result.states),
        "writers": list(result.writers),
        "files_per_pack": round(result.files_per_pack, 3),
        "requests_per_million_files": None
        if estimate is None
        else {"push": estimate.push, "pull": estimate.pull, "nothing_new": estimate.idle},
        "listings": result.listings,
        "requests": result.requests,
        "seconds": round(result.seconds, 3),
    }


def _data(stored: Stored) -> dict[str, int]:
    return {"count": stored.count, "bytes": stored.size}
