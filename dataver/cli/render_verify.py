"""What `verify` found, as text and as the `data` of its JSON document.  Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dataver.cli.render_json import path_of
from dataver.cli.wording import Page, counted, name, number
from dataver.errors import show_bytes

if TYPE_CHECKING:
    from dataver import Damage, VerifiedPlace, VerifyResult

_MOST_ABSENT = 5


def verified(result: VerifyResult) -> Page:
    """Return what was read in each place, and how it was found."""
    lines: list[str] = []
    notes: list[str] = []
    for place in result.places:
        lines.append(_place_line(place, result))
        if place.absent:
            shown = ", ".join(name(path) for path in place.absent[:_MOST_ABSENT])
            more = len(place.absent) - _MOST_ABSENT
            rest = f" and {counted(more, 'other')}" if more > 0 else ""
            where = "never brought here" if place.name == "cache" else f"not on {place.name}"
            notes.append(f"not looked up, since {where}: {shown}{rest}")
        if place.newer:
            notes.append(f"{counted(place.newer, 'object')} of a newer format: pip install --upgrade dataver")
    return Page(lines, notes)


def _place_line(place: VerifiedPlace, result: VerifyResult) -> str:
    where = "the cache" if place.name == "cache" else f"remote {place.name}"
    found = [damage for damage in result.damaged if damage.place == place.name]
    repaired = sum(1 for damage in found if damage.is_repaired)
    read = f"{counted(place.objects, 'object')} in {counted(place.files, 'file')}, {show_bytes(place.size)}"
    if result.sample:
        read += f" ({share(place):g} % of {show_bytes(place.total)}, chosen at random)"
    if not found:
        verdict = "all sound"
    else:
        verdict = f"{number(len(found))} damaged"
        if repaired:
            verdict += f", {number(repaired)} of them repaired"
    versions = f"; {counted(place.versions, 'version')} complete" if place.versions and not found else ""
    return f"Verified {where}: {read}: {verdict}{versions}"


def share(place: VerifiedPlace) -> float:
    """Return the share that was really read, in percent, with two significant digits."""
    percent = 100 * place.size / place.total if place.total else 100.0
    return float(f"{percent:.2g}")


def data_of(result: VerifyResult) -> dict[str, Any]:
    """Return the `data` of the document."""
    return {
        "places": [
            {
                "name": place.name,
                "files": place.files,
                "objects": place.objects,
                "bytes": place.size,
                "total_bytes": place.total,
                "share": share(place),
                "versions": place.versions,
                "absent": [path_of(path) for path in place.absent],
                "strays": list(place.strays),
                "newer": place.newer,
            }
            for place in result.places
        ],
        "damaged": [_damage(damage) for damage in result.damaged],
        "repair": result.repair,
        "sample": result.sample or None,
        "seconds": round(result.seconds, 3),
    }


def _damage(damage: Damage) -> dict[str, Any]:
    return {
        "what": damage.what,
        "state": damage.state,
        "place": damage.place,
        "path": path_of(damage.path) if damage.path else None,
        "version": damage.version or None,
        "why": damage.why or None,
        "copy": damage.copy or None,
        "quarantined": damage.is_quarantined,
        "repaired": damage.is_repaired,
    }
