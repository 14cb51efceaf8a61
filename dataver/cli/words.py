"""Which words are revisions and which are paths: Git's rule.

`--` separates; before it, or without it, a word that is both is an error.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from dataver.errors import UnknownRevisionError, UsageError

if TYPE_CHECKING:
    from dataver import Repo


def split_words(repo: Repo, words: Sequence[str], most: int) -> tuple[list[str], list[str]]:
    """Return the revisions (at most *most*) and the paths that *words* are.

    With *most* 2, `A..B` is two revisions.  Raises: UsageError.
    """
    if "--" in words:
        at = list(words).index("--")
        revs = _ranges(list(words[:at]), most)
        if len(revs) > most:
            raise UsageError(f"{len(revs)} words before --, and at most {most} can be revisions")
        return revs, list(words[at + 1 :])
    revs = []
    for place, word in enumerate(words):
        found = _ranges([word], most)
        if len(revs) + len(found) > most or not all(_is_revision(repo, rev) for rev in found):
            return revs, list(words[place:])
        if _is_path(word):
            raise UsageError(
                f"{word!r} is both a revision and a path",
                hint=f"{word} -- takes it for a revision, -- {word} for a path",
            )
        revs += found
    return revs, []


def split_revision(word: str) -> tuple[str | None, str]:
    """Return the revision and the path that `REV:PATH` or `PATH` names."""
    rev, colon, path = word.partition(":")
    if not colon or os.path.lexists(word):
        return None, word
    if not rev or not path:
        raise UsageError(f"{word!r} is neither REV:PATH nor a path")
    return rev, path


def _ranges(words: list[str], most: int) -> list[str]:
    if (
        most == 2
        and len(words) == 1
        and ".." in words[0]
        and "..." not in words[0]
        and not _is_path(words[0])
    ):
        old, _, new = words[0].partition("..")
        return [old or "HEAD", new or "HEAD"]
    return words


def _is_path(word: str) -> bool:
    return os.path.lexists(word) or os.path.lexists(f"{word}.dv")


def _is_revision(repo: Repo, word: str) -> bool:
    try:
        repo.git.resolve(word)
    except UnknownRevisionError:
        return False
    return True
