"""What a scrub found, put together for people: whom it hurts, where a good copy is, what became of it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

from dataver.errors import Failure, show_path
from dataver.model.guarding import Damage, VerifiedPlace
from dataver.model.names import ObjectName, show_name
from dataver.ops.choosing import origin_hint
from dataver.ops.exchange import Selected
from dataver.ops.sampling import Sample
from dataver.ops.whose import Commits, Owner, Structured, owners_of
from dataver.repo import Repo

CORRUPT, MISSING = "corrupt", "missing"
CODES = {CORRUPT: "corrupt-object", MISSING: "missing-object"}
_MOST_HINTS = 20


@dataclass(slots=True)
class Draft:
    """Damage while it is found out about."""

    what: str
    state: str
    name: ObjectName | None = None
    """None for what is no object, such as a pack."""
    why: str = ""
    owner: Owner | None = None
    copy: str = ""
    is_quarantined: bool = False
    is_repaired: bool = False


@dataclass(slots=True)
class Outcome:
    """What was found in one place."""

    place: VerifiedPlace
    drafts: list[Draft]
    warnings: list[Failure] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Ask:
    """What a person asked to be verified."""

    chosen: Selected
    """The versions of which every object is looked up."""
    is_explicit: bool
    """True where versions were named: then nothing else is read."""
    sample: Sample
    repair: bool
    jobs: int | None


def object_draft(name: ObjectName, state: str, why: str = "", owner: Owner | None = None) -> Draft:
    """Return the draft of a damaged object."""
    return Draft(show_name(name), state, name, why, owner)


def names_of(drafts: Iterable[Draft]) -> set[ObjectName]:
    """Return the objects among *drafts*."""
    return {draft.name for draft in drafts if draft.name is not None}


def explain(repo: Repo, drafts: Collection[Draft], chosen: Selected, trees: Structured) -> None:
    """Find out who needs the objects of *drafts*."""
    unexplained = names_of(draft for draft in drafts if draft.owner is None)
    if not unexplained:
        return
    owners = owners_of(repo, unexplained, chosen, trees)
    for draft in drafts:
        if draft.owner is None and draft.name is not None:
            draft.owner = owners.get(draft.name)


def finished(repo: Repo, outcomes: Sequence[Outcome]) -> tuple[list[Damage], list[Failure]]:
    """Return all damage as results, and a failure for each that stays."""
    commits = Commits(repo)
    damaged: list[Damage] = []
    failed: list[Failure] = []
    hints: dict[tuple[bytes, str], str] = {}
    for outcome in outcomes:
        place = outcome.place.name
        for draft in sorted(
            outcome.drafts, key=lambda d: (d.owner is None, d.owner and d.owner.path, d.what)
        ):
            owner = draft.owner
            damage = Damage(
                draft.what,
                draft.state,
                place,
                path=owner.path if owner else b"",
                version=commits.of(owner.blob) if owner else "",
                why=draft.why,
                copy=draft.copy,
                is_quarantined=draft.is_quarantined,
                is_repaired=draft.is_repaired,
            )
            damaged.append(damage)
            if damage.is_repaired:
                continue
            hint = _repair_hint(damage)
            if owner is not None and not damage.copy:
                key = (owner.target, owner.blob)
                if key not in hints and len(hints) < _MOST_HINTS:
                    hints[key] = origin_hint(repo.git, owner.target + b".dv", owner.blob)
                hint = hints.get(key, "")
            failed.append(Failure(damage.path, CODES[damage.state], message_of(damage), hint, 3))
    return damaged, failed


def _repair_hint(damage: Damage) -> str:
    if not damage.copy:
        return ""
    return (
        f"dataver verify --remote {damage.place} --repair"
        if damage.place != "cache"
        else ("dataver verify --repair")
    )


def message_of(damage: Damage) -> str:
    """Return one line that says what is damaged, where, who needs it and where a good copy is."""
    where = "the cache" if damage.place == "cache" else f"remote {damage.place}"
    if damage.path:
        said = f"{show_path(damage.path)} is {damage.state} in {where} ({damage.what})"
    else:
        said = f"{damage.what} is {damage.state} in {where}"
    parts = [said]
    if damage.why:
        parts.append(damage.why)
    if damage.version:
        parts.append(f"needed by {damage.version}")
    if damage.is_quarantined:
        parts.append("moved to quarantine")
    parts.append(f"a good copy is in {_place(damage.copy)}" if damage.copy else "no good copy is known")
    return "; ".join(parts)


def _place(copy: str) -> str:
    if copy == "clone":
        return "this clone's own state"
    return f"the {copy}" if copy in ("cache", "workspace") else f"remote {copy}"
