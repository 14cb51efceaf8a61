"""The remotes of an erasure: each met, with what deletes for good there, or why it cannot be reached."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from dataver.erasure.eraser import Eraser, Facts, Obstacle, remaining
from dataver.erasure.erasers import open_eraser
from dataver.errors import DataverError, HeldError, PurgeRefusedError, RemoteError, UsageError
from dataver.formats.layout import pack_key
from dataver.model.names import StructureId
from dataver.model.purging import PlannedRemote
from dataver.ops.exchange import meet
from dataver.repo import Repo
from dataver.store.remote import Remote
from dataver.transfer.connect import absolute_url, bucket_options, forget_seen

_UNREACHABLE = ("offline", "bucket-not-found", "no-credentials", "not-a-remote")


@dataclass(slots=True)
class Place:
    """One configured remote; where it cannot be reached it has an *error* and nothing else."""

    name: str
    url: str
    remote: Remote | None = None
    eraser: Eraser | None = None
    facts: Facts | None = None
    error: DataverError | None = None

    @property
    def is_ready(self) -> bool:
        return self.remote is not None and self.eraser is not None


def open_places(repo: Repo, names: Sequence[str] = (), restored: Collection[str] = ()) -> list[Place]:
    """Meet every configured remote, or those in *names*, and look at what deletes there.

    What this clone remembers of the remotes *restored* is forgotten, but for their records: they came
    back from a backup.

    Raises: UsageError for a name that is not configured; SignatureRefusedError, RemoteStateError.
    """
    known = repo.config.remote_names
    for name in (*names, *restored):
        repo.remote_name(name)
    return [_open(repo, name, is_restored=name in restored) for name in names or known] if known else []


def remotes_of(places: Sequence[Place]) -> list[Remote]:
    """Return the remotes that were reached."""
    return [place.remote for place in places if place.remote is not None]


def _open(repo: Repo, name: str, *, is_restored: bool) -> Place:
    settings = repo.config.remote(name)
    if settings is None:
        raise UsageError(f"remote {name} has no url", hint="dataver remote list")
    place = Place(name, settings.url)
    if is_restored:
        forget_seen(repo.common_folder, settings, repo.disk)
    try:
        place.remote = meet(repo, name, is_restored=is_restored)
        place.url = place.remote.url
        place.eraser = open_eraser(
            absolute_url(settings.url, repo.top),
            bucket_options(settings),
            place.remote.bucket,
            repo.disk,
            timeout_s=settings.timeout_s,
        )
        place.facts = place.eraser.examine()
    except RemoteError as error:
        if error.code not in _UNREACHABLE:
            raise
        place.error = error
    return place


def refuse_obstacles(
    places: Sequence[Place], keys: dict[str, list[str]], *, accept_unverifiable: bool
) -> None:
    """Refuse all of it where a right, a hold or a lock stands in the way on any of *places*.

    *keys* are those that would be erased, by remote.  Raises: PurgeRefusedError, HeldError.
    """
    for place in places:
        if place.facts is None or place.eraser is None:
            continue
        obstacles = [*place.facts.obstacles, *place.eraser.holds(keys.get(place.name, []))]
        for one in obstacles:
            if one.code == "unverifiable" and accept_unverifiable:
                continue
            raise _refusal(place, one)


def _refusal(place: Place, one: Obstacle) -> DataverError:
    what = f"remote {place.name} ({place.url}): {one.message}; nothing was changed"
    if one.code in ("object-lock", "hold", "retention"):
        return HeldError(what, hint=one.hint)
    return PurgeRefusedError(what, hint=one.hint)


def planned_remote(place: Place, packs: dict[StructureId, int]) -> PlannedRemote:
    """Return what would be done to a remote of which *packs* hold something."""
    if place.eraser is None or place.facts is None:
        why = place.error.message if place.error is not None else ""
        return PlannedRemote(place.name, place.url, "", "unreachable", notes=(why,) if why else ())
    keys = list(map(pack_key, packs))
    obstacles = [*place.facts.obstacles, *place.eraser.holds(keys)]
    try:
        versions = sum(1 for _ in remaining(place.eraser, keys)) if keys else 0
    except RemoteError:
        versions = 0  # that versions may not be listed is among the obstacles
    return PlannedRemote(
        place.name,
        place.url,
        place.facts.kind,
        "refused" if obstacles else "ready",
        packs=len(packs),
        size=sum(packs.values()),
        versions=versions,
        versioning=place.facts.versioning,
        soft_delete_s=place.facts.soft_delete_s,
        obstacles=tuple(dict.fromkeys(one.message for one in obstacles)),
        notes=place.facts.notes,
    )
