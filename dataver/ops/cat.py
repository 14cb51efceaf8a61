"""`cat`: the bytes of one file of any version, verified; also as an open file or a local path."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from typing import BinaryIO

from dataver.disk.digest import digest_file
from dataver.errors import CorruptObjectError, MissingObjectError, NoSuchPathError, UsageError, show_path
from dataver.model.names import Oid, blob_name
from dataver.model.tree import EMPTY_FOLDER, SINGLE_FILE_PATH, Entry
from dataver.ops.choosing import Choice, choose
from dataver.repo import Repo
from dataver.workspace.paths import PathLike
from dataver.workspace.sparse import is_glob

_PIECE = 1 << 20


def cat(repo: Repo, path: PathLike, rev: str | None = None) -> Iterator[bytes]:
    """Yield the bytes of *path* in the version of its pointer, or of *rev*.

    Fetches what the cache lacks when a remote is configured.  All bytes are hashed before the
    first is given out.

    Raises: NoSuchPathError, UnknownRevisionError, MissingObjectError, CorruptObjectError.
    """
    with open_file(repo, path, rev) as file:
        while piece := file.read(_PIECE):
            yield piece


def open_file(repo: Repo, path: PathLike, rev: str | None = None) -> BinaryIO:
    """Return a verified file, open for reading."""
    entry = _entry(repo, path, rev)
    oid = entry.oid
    assert oid is not None
    fd = repo.cache.loose.open(oid)
    if fd is None:
        return io.BytesIO(repo.cache.read(blob_name(oid)))
    if digest_file(fd, oid[0], os.fstat(fd).st_size) != oid[1:]:
        os.close(fd)
        repo.cache.quarantine(blob_name(oid))
        raise CorruptObjectError(show_path(os.fsencode(path)), "the cache")
    os.lseek(fd, 0, os.SEEK_SET)
    return open(fd, "rb")


def local_path(repo: Repo, path: PathLike, rev: str | None = None) -> str:
    """Return the path of a read-only local file with the bytes of *path*, verified just now."""
    entry = _entry(repo, path, rev)
    oid = entry.oid
    assert oid is not None
    if repo.cache.loose.has(oid):
        open_file(repo, path, rev).close()
        return repo.cache.loose.path(oid)
    data = repo.cache.read(blob_name(oid))
    place = repo.cache.loose.path(oid)
    temp = repo.cache.temp_path()
    fd = repo.disk.create(temp, 0o444)
    try:
        repo.disk.write(fd, data)
    finally:
        os.close(fd)
    repo.cache.publish([], [(temp, oid)])
    return place


def _entry(repo: Repo, path: PathLike, rev: str | None) -> Entry:
    chosen = choose(repo, rev, [path])
    if not chosen.choices:
        failure = chosen.failed[0]
        raise NoSuchPathError(failure.path, what=failure.message)
    choice = chosen.choices[0]
    if len(chosen.choices) > 1 or any(map(is_glob, choice.patterns)):
        raise UsageError(f"{show_path(os.fsencode(path))} is more than one file")
    inner = choice.patterns[0] if choice.patterns else SINGLE_FILE_PATH
    if not choice.patterns and choice.pointer.is_folder:
        raise UsageError(f"{show_path(choice.path)} is a folder", hint=f"dataver ls {show_path(choice.path)}")
    entry = _found(repo, choice, inner)
    if entry is None:
        raise NoSuchPathError(choice.shown(inner))
    if entry.kind == EMPTY_FOLDER or entry.oid is None:
        raise UsageError(f"{show_path(choice.shown(inner))} is a folder")
    if not repo.cache.has(blob_name(entry.oid)):
        _bring(repo, path, rev, entry.oid)
    return entry


def _found(repo: Repo, choice: Choice, inner: bytes) -> Entry | None:
    try:
        return repo.trees.find(choice.pointer.root_id, inner)
    except MissingObjectError:
        if not repo.config.remote_names:
            raise
        _fetch(repo, choice)
        return repo.trees.find(choice.pointer.root_id, inner)


def _bring(repo: Repo, path: PathLike, rev: str | None, oid: Oid) -> None:
    if repo.config.remote_names:
        _fetch(repo, choose(repo, rev, [path]).choices[0])
    if not repo.cache.has(blob_name(oid)):
        raise MissingObjectError(show_path(os.fsencode(path)))


def _fetch(repo: Repo, choice: Choice) -> None:
    from dataver.ops.fetch import fetch_one  # the remote's libraries, only where they are needed

    fetch_one(repo, choice)
