"""What git says, as values: rows of its index, trees and differences.  Pure."""

from __future__ import annotations

from typing import NamedTuple

ALL = "--all"
"""For `Git.pointer_blobs`: the commits of every branch and tag, and of HEAD."""
EVERYTHING = "--everything"
"""For `Git.pointer_blobs`: the commits of every ref, work tree, stash and reflog entry."""

REGULAR = (0o100644, 0o100755)
"""The modes of files; a pointer is nothing else."""

_EMPTY_BLOBS = (
    "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391",
    "473a0f4c3be8a93681a267e3b1e9a7dcda1185436fe141f7749120a303721813",
)


class PointerRow(NamedTuple):
    """One row of git's index: stage 0, or 1 to 3 (base, ours, theirs) in a conflict."""

    path: bytes
    mode: int
    blob: str
    stage: int


PointerRows = list[PointerRow]


class PointerChange(NamedTuple):
    """One pointer that a commit changed; a blob is empty where there is no file."""

    old_blob: str
    new_blob: str


LOG_FORMAT = "%x01%H%x00%P%x00%an%x00%aI%x00%s"
"""What `parse_log` reads of a commit; no other field begins with that byte."""


class CommitInfo(NamedTuple):
    """A commit, for people."""

    sha: str
    author: str
    date: str
    """ISO 8601, in the author's time zone."""
    subject: str


def split(said: bytes) -> list[bytes]:
    """Return what stands before each NUL."""
    rows = said.split(b"\0")
    rows.pop()
    return rows


def parse_index(said: bytes) -> PointerRows:
    """Return the rows of `ls-files -s -z`."""
    rows: PointerRows = []
    for row in split(said):
        meta, path = row.split(b"\t", 1)
        mode, blob, stage = meta.split(b" ")
        rows.append(PointerRow(path, int(mode, 8), blob.decode(), int(stage)))
    return rows


def parse_tree(said: bytes) -> dict[bytes, str]:
    """Return path -> blob of the pointers in `ls-tree -r -z`."""
    found: dict[bytes, str] = {}
    for row in split(said):
        if row.endswith(b".dv"):
            meta, path = row.split(b"\t", 1)
            mode, _, blob = meta.split(b" ")
            if int(mode, 8) in REGULAR:
                found[path] = blob.decode()
    return found


def is_plain(rows: PointerRows) -> bool:
    """Return whether the index holds exactly one true row for each path.

    Not in a conflict, nor with a path that is only intended (`git add -N`): its row names the empty
    blob, which no pointer is.
    """
    return not any(row.stage or row.blob in _EMPTY_BLOBS for row in rows)


def undo_changes(rows: PointerRows, said: bytes) -> dict[bytes, str]:
    """Return path -> blob of a commit, from the index and `diff-index --cached --raw -z COMMIT`."""
    found = {row.path: row.blob for row in rows if row.mode in REGULAR}
    fields = split(said)
    for meta, path in zip(fields[::2], fields[1::2], strict=True):
        mode, _, blob, _, _ = meta[1:].split(b" ")
        if int(mode, 8) in REGULAR:
            found[path] = blob.decode()
        else:
            found.pop(path, None)
    return found


def parse_history(said: bytes) -> list[tuple[bytes, str, str]]:
    """Return (path, blob, first commit) of each distinct file in `diff-tree --stdin --raw -z`."""
    found: dict[tuple[bytes, str], str] = {}
    commit = ""
    fields = iter(split(said))
    for field in fields:
        if not field.startswith(b":"):
            commit = field.split(b" ", 1)[0].strip().decode()
            continue
        _, mode, _, blob, _ = field.split(b" ")
        path = next(fields)
        if int(mode, 8) in REGULAR:
            found.setdefault((path, blob.decode()), commit)
    return [(path, blob, sha) for (path, blob), sha in found.items()]


class PointerCommit(NamedTuple):
    """A commit, and what it changed of pointers against each of its parents."""

    info: CommitInfo
    parents: int
    changes: list[dict[bytes, PointerChange]]
    """Per parent from which some pointer differs, in the order of the parents, path -> change."""


def parse_log(said: bytes) -> list[PointerCommit]:
    """Return the commits of `diff-tree --stdin -m --raw -z --format=LOG_FORMAT`."""
    found: list[PointerCommit] = []
    fields = iter(split(said))
    for field in fields:
        if field.startswith(b"\x01"):
            parents, author, date, subject = (next(fields) for _ in range(4))
            sha = field[1:].decode()
            if not found or found[-1].info.sha != sha:
                texts = (text.decode("utf-8", "backslashreplace") for text in (author, date, subject))
                found.append(PointerCommit(CommitInfo(sha, *texts), len(parents.split()), []))
            found[-1].changes.append({})
            continue
        old_mode, mode, old_blob, blob, _ = field.lstrip(b"\n:").split(b" ")
        blobs = (b.decode() if int(m, 8) in REGULAR else "" for m, b in ((old_mode, old_blob), (mode, blob)))
        found[-1].changes[-1][next(fields)] = PointerChange(*blobs)
    return found
