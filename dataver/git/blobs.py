"""Read git's blobs, many with one process, bounded by a size that each may have."""

from __future__ import annotations

from collections.abc import Sequence

from dataver.disk.process import Conversation
from dataver.errors import DataverError, FormatError, GitCommandError, MissingObjectError
from dataver.git.program import Program

# So many requests fit into a pipe: writing them never waits for the answers.
_AT_ONCE = 400


def try_read_blobs(program: Program, blobs: Sequence[str], max_size: int) -> list[bytes | DataverError]:
    """Return the contents of *blobs*, in order, and an error for each that cannot be read."""
    found: list[bytes | DataverError] = []
    while len(found) < len(blobs):
        # git cannot be stopped within a blob that is too large: after one, another git goes on.
        with program.converse("cat-file", "--batch") as git:
            found += _read_on(git, blobs[len(found) :], max_size)
    return found


def _read_on(git: Conversation, blobs: Sequence[str], max_size: int) -> list[bytes | DataverError]:
    found: list[bytes | DataverError] = []
    for first in range(0, len(blobs), _AT_ONCE):
        batch = blobs[first : first + _AT_ONCE]
        git.write(b"".join(blob.encode() + b"\n" for blob in batch))
        for blob in batch:
            words = git.read_line().split(b" ")
            if words[-1] == b"missing":
                found.append(MissingObjectError(f"blob {blob}", "git's object store"))
                continue
            if len(words) != 3:
                done = git.finish()
                said = done.stderr.decode("utf-8", "backslashreplace")
                raise GitCommandError(["cat-file", "--batch"], done.status, said)
            size = int(words[2])
            if words[1] != b"blob":
                found.append(FormatError(f"git object {blob}", f"is a {words[1].decode()}, not a file"))
                return found
            if size > max_size:
                found.append(FormatError(f"blob {blob}", f"has {size} bytes, more than {max_size}"))
                return found
            content = git.read_exactly(size + 1)
            if len(content) != size + 1:
                raise GitCommandError(["cat-file", "--batch"], 0, f"ended within blob {blob}")
            found.append(content[:-1])
    return found
