"""What Git itself keeps of a person, and what else changed where the person's data was.

Erasing rewrites no history: names of pointers, branches and tags and the words of commits stay, and are told.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from dataver.errors import show_path
from dataver.formats.pointer import is_pointer_path, pointer_of, target_of
from dataver.git import EVERYTHING
from dataver.model.purging import Residue
from dataver.ops.purge_versions import Versions
from dataver.repo import Repo

_SHORTEST_TERM = 4
_MOST = 200


@dataclass(slots=True)
class Held:
    """The commits that hold something, and what else changed in those that brought it."""

    commits: list[str] = field(default_factory=list)
    tags: tuple[str, ...] = ()
    beside: dict[bytes, list[str]] = field(default_factory=dict)
    """Other tracked path -> commits that changed it together with what is held."""


def find_held(repo: Repo, versions: Versions, datasets: Iterable[int]) -> Held:
    """Return the commits in which a pointer names one of *datasets*, and what changed in those beside it."""
    wanted = set(datasets)
    blobs = {blob for blob, (_, number) in versions.blobs.items() if number in wanted}
    paths = sorted({pointer_of(versions.datasets[number].target) for number in wanted})
    found = Held()
    if not blobs:
        return found
    found.commits = repo.git.commits_with(paths, blobs)
    found.tags = tuple(repo.git.tags_with(paths, blobs))
    holding = set(found.commits)
    for commit in repo.git.pointer_log_of_everything():
        if commit.info.sha not in holding:
            continue
        for changes in commit.changes:
            for path in changes:
                if is_pointer_path(path) and path not in paths:
                    seen = found.beside.setdefault(target_of(path), [])
                    if commit.info.sha not in seen:
                        seen.append(commit.info.sha)
    return found


def find_residue(repo: Repo, terms: Sequence[str]) -> list[Residue]:
    """Return where Git's own names and words hold one of *terms*, each matched as a whole word."""
    words = [term for term in terms if len(term) >= _SHORTEST_TERM]
    if not words:
        return []
    pattern = re.compile("|".join(rf"(?<![0-9A-Za-z]){re.escape(word)}(?![0-9A-Za-z])" for word in words))
    found: list[Residue] = []
    for path, _, _ in repo.git.pointer_blobs([EVERYTHING]):
        if pattern.search(show_path(path)):
            found.append(Residue("pointer", show_path(path)))
    for sha, message in repo.git.messages():
        if pattern.search(message):
            found.append(Residue("commit message", sha[:12]))
    for name in repo.git.ref_names():
        if pattern.search(name):
            kind, _, short = name.removeprefix("refs/").partition("/")
            found.append(Residue("tag" if kind == "tags" else "branch", short))
    return list(dict.fromkeys(found))[:_MOST]


def terms_of(patterns: Iterable[bytes], subjects: Iterable[str]) -> list[str]:
    """Return the words by which Git could name a person: ids, and the last plain part of each pattern."""
    return list(dict.fromkeys([*subjects, *_parts(patterns)]))


def _parts(patterns: Iterable[bytes]) -> Iterator[str]:
    for pattern in patterns:
        plain = [part for part in pattern.split(b"/") if part and not any(c in part for c in b"*?[")]
        if plain:
            yield show_path(plain[-1])
