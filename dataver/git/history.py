"""Ask git about commits: what they brought, who made them, what people call them."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Sequence

from dataver.errors import UnknownRevisionError
from dataver.git.program import Program, check_revision
from dataver.git.rows import (
    ALL,
    EVERYTHING,
    LOG_FORMAT,
    CommitInfo,
    PointerCommit,
    parse_history,
    parse_log,
)

_RANGE_OPTIONS = ("--not", "--branches", "--tags", "--remotes")
_PLAIN_LOG = ("log", "--no-show-signature", "--no-color", "--encoding=UTF-8")
_POINTERS = "*.dv"


def _range_arguments(ranges: Sequence[str]) -> list[str]:
    arguments: list[str] = []
    for word in ranges:
        if word == ALL:
            arguments += ["--branches", "--tags"]
        elif word == EVERYTHING:
            arguments += ["--all", "--reflog"]
        elif word.partition("=")[0] in _RANGE_OPTIONS:
            arguments.append(word)
        else:
            check_revision(word)
            arguments.append(word)
    return arguments


def pointer_blobs(program: Program, ranges: Sequence[str], head: str | None) -> list[tuple[bytes, str, str]]:
    """Return (path, blob, first commit) of each pointer that the commits of *ranges* brought."""
    arguments = _range_arguments(ranges)
    if head is not None and any(word in (ALL, EVERYTHING) for word in ranges):
        arguments.insert(0, head)  # a detached HEAD is on no branch
    if not arguments:
        return []
    said = _changes_of_pointers(program, ranges, ("--topo-order", "--reverse", *arguments))
    return parse_history(said) if said else []


def pointer_log(program: Program, ranges: Sequence[str]) -> list[PointerCommit]:
    """Return the commits of *ranges* that changed a pointer, the newest first, children before parents.

    Raises: UnknownRevisionError.
    """
    arguments = _range_arguments(ranges)
    output = (f"--format={LOG_FORMAT}", "--encoding=UTF-8")
    said = _changes_of_pointers(program, ranges, ("--date-order", *arguments), output)
    return parse_log(said) if said else []


def _changes_of_pointers(
    program: Program, ranges: Sequence[str], listed: Sequence[str], output: Sequence[str] = ()
) -> bytes:
    """Return what git says of each commit that changed a pointer; *ranges* are those that a person gave."""
    # --full-history: what happened on a side branch happened, whatever the merge made of it.
    listing = ("rev-list", "--full-history", *listed)
    commits = program.attempt(*listing, "--", _POINTERS, has_pattern=True)
    if commits.status:
        if b"bad revision" in commits.stderr or b"bad object" in commits.stderr:
            raise UnknownRevisionError(" ".join(ranges))
        raise program.error_of(listing, commits)
    if not commits.stdout:
        return b""
    # -m: a merge is compared with each of its parents, so what only the merge brought is seen.
    return program.ask(
        *("diff-tree", "--stdin", "-r", "-m", "--root", "--raw", "-z", "--no-renames", "--no-abbrev"),
        *(*output, "--", _POINTERS),
        stdin=commits.stdout,
        has_pattern=True,
    )


def commit_info(program: Program, sha: str) -> CommitInfo:
    """Return a commit's author, date and subject."""
    check_revision(sha)
    said = program.ask(*_PLAIN_LOG, "-1", "--format=%H%x00%an%x00%aI%x00%s", sha, "--")
    full, author, date, subject = said.decode("utf-8", "backslashreplace").rstrip("\n").split("\0")
    return CommitInfo(full, author, date, subject)


def describe(program: Program, sha: str) -> str:
    """Return what people call a commit: its tag or branch, else the nearest tag and a short id."""
    check_revision(sha)
    said = program.ask(
        *("for-each-ref", f"--points-at={sha}", "--format=%(refname)", "refs/tags", "refs/heads")
    )
    names = os.fsdecode(said).split()
    for prefix in ("refs/tags/", "refs/heads/"):
        for name in names:
            if name.startswith(prefix):
                return name.removeprefix(prefix)
    return os.fsdecode(program.ask("describe", "--tags", "--always", sha).strip())


def introduced(program: Program, path: bytes, blob: str) -> CommitInfo | None:
    """Return the oldest commit that put *blob* at *path*; None where no ref reaches one."""
    said = program.ask(
        *(*_PLAIN_LOG, "--full-history", "-m", "--no-renames", "--format=%H", "--diff-filter=AMT"),
        *(f"--find-object={blob}", "--topo-order", "--all", "--", path),
    )
    shas = said.split()
    return commit_info(program, shas[-1].decode()) if shas else None


def commits_with(program: Program, paths: Sequence[bytes], blobs: Collection[str]) -> list[str]:
    """Return the commits of every ref and reflog entry that have one of *blobs* at one of *paths*."""
    shas = program.ask("rev-list", "--all", "--reflog", "--topo-order").split()
    return list(dict.fromkeys(_with(program, [sha.decode() for sha in shas], paths, blobs)))


def tags_with(program: Program, paths: Sequence[bytes], blobs: Collection[str]) -> list[str]:
    """Return the tags that have one of *blobs* at one of *paths*."""
    names = os.fsdecode(program.ask("for-each-ref", "--format=%(refname)", "refs/tags")).split()
    found = dict.fromkeys(_with(program, names, paths, blobs))
    return [name.removeprefix("refs/tags/") for name in found]


def _with(
    program: Program, names: Sequence[str], paths: Sequence[bytes], blobs: Collection[str]
) -> Iterator[str]:
    if not names or not paths:
        return
    plain = [path for path in paths if b"\n" not in path]
    asked = b"".join(os.fsencode(name) + b":" + path + b"\n" for name in names for path in plain)
    said = program.ask("cat-file", "--batch-check=%(objectname)", stdin=asked).splitlines()
    for position, line in enumerate(said):
        if line.decode("ascii", "replace") in blobs:
            yield names[position // len(plain)]


def messages(program: Program) -> Iterator[tuple[str, str]]:
    """Yield every commit of every ref and reflog entry with its whole message."""
    said = program.ask(*_PLAIN_LOG, "--all", "--reflog", "-z", "--format=%H%x01%B")
    for row in said.split(b"\0"):
        sha, mark, message = row.partition(b"\x01")
        if mark:
            yield sha.strip().decode(), message.decode("utf-8", "backslashreplace")


def ref_names(program: Program) -> list[str]:
    """Return the full name of every ref."""
    return os.fsdecode(program.ask("for-each-ref", "--format=%(refname)")).split()
