"""Which repositories use a cache: one small file for each below its `users/`, for whoever cleans it.

The only module that writes and reads those files.  A repository is known by its clone id and by the
folder that Git keeps it in: work trees come and go, and one file speaks for all of them.
"""

from __future__ import annotations

import contextlib
import json
import os
import stat
from typing import TYPE_CHECKING, NamedTuple

from dataver.disk.disk import Disk
from dataver.errors import DataverError, DiskFullError, FormatError, UnsupportedError, local_error
from dataver.git import GitPlace
from dataver.hashing import blake3_of

if TYPE_CHECKING:
    from dataver.store.cache import Cache

_MOST_TEXT = 65_536


class User(NamedTuple):
    """A repository that is registered in a cache."""

    clone_id: str
    host: str
    root: str
    """Top of the work tree that registered it."""
    git: str
    """The folder that all of its work trees share."""
    file: str
    """The registration itself."""
    cache: str
    """The cache that it is registered in; empty where nobody wrote it down."""

    @property
    def shown(self) -> str:
        """What people call it."""
        return self.root if os.path.isdir(self.root) or not self.git else self.git.removesuffix("/.git")

    @property
    def is_here(self) -> bool:
        """Whether the repository lies where it was registered, under whatever name this host has."""
        return _clone_id_in(self.git) == self.clone_id

    def came_along(self, cache_folder: str) -> bool:
        """Whether the registration was copied with a cache: it is of the cache that was copied from."""
        original = f"{self.cache}/users/{os.path.basename(self.file)}"
        return (
            bool(self.cache)
            and os.path.exists(original)
            and not os.path.samefile(original, self.file)
            and os.path.realpath(cache_folder) != self.cache
        )


def describe_user(place: GitPlace, cache_folder: str) -> bytes:
    """Return what the cache in *cache_folder* keeps of a repository that uses it."""
    facts = {
        "host": os.uname().nodename,
        "root": place.top,
        "git": place.common_dir,
        "cache": os.path.realpath(cache_folder),
    }
    return "".join(["version = 1\n", *(f"{k} = {json.dumps(v)}\n" for k, v in facts.items())]).encode()


def user_of(clone_id: str, place: GitPlace) -> User:
    """Return the repository at *place* as its registration would name it."""
    return User(clone_id, os.uname().nodename, place.top, place.common_dir, "", "")


def register_user(cache: Cache, clone_id: str, place: GitPlace) -> None:
    """Say in *cache* that the repository at *place* uses it.

    A copy of a repository has the clone id of its original: where both are there, both are
    registered.  One that moved takes the place of its old registration.
    """
    text = describe_user(place, cache.folder)
    name = clone_id
    known = _known(f"{cache.folder}/users/{name}.toml", text)
    if known is not None:
        if known.git == place.common_dir and place.git_dir != place.common_dir:
            return  # another work tree of the same repository speaks for all
        if known.git != place.common_dir and known.is_here and not known.came_along(cache.folder):
            name = f"{clone_id}-{blake3_of(os.fsencode(place.common_dir))[:4].hex()}"
    # Only this host's name or the work tree's place changed: that must not stop gc on a full disk.
    is_known = known is not None and known.git == place.common_dir
    with contextlib.suppress(*((DiskFullError,) if is_known else ())):
        cache.register(name, text)


def _known(path: str, text: bytes) -> User | None:
    """Return an earlier registration that says something else than *text*."""
    try:
        data = _content(path)
        return None if data == text else parse_user(data, path)
    except (OSError, DataverError):
        return None


def list_users(cache_folder: str) -> list[User]:
    """Return every repository that is registered in the cache, each once, sorted by file.

    Raises: FormatError, UnsupportedError for a registration that cannot be read; local errors.
    """
    folder = f"{cache_folder}/users"
    try:
        names = sorted(n for n in os.listdir(folder) if n.endswith(".toml") and not n.startswith("."))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise local_error(error, folder) from error
    found: dict[tuple[str, str], User] = {}
    for name in names:
        path = f"{folder}/{name}"
        try:
            user = parse_user(_content(path), path)
        except OSError as error:
            raise local_error(error, path) from error
        if not user.came_along(cache_folder):
            found.setdefault((user.git, user.clone_id), user)
    return list(found.values())


def parse_user(data: bytes, path: str) -> User:
    """Return the registration in *data*.  Raises: FormatError, UnsupportedError."""
    facts: dict[str, object] = {}
    try:
        for line in data.decode().splitlines():
            key, _, value = line.partition(" = ")
            facts[key] = json.loads(value)
    except (ValueError, RecursionError) as error:
        raise FormatError(path, "is no registration of a repository") from error
    if isinstance(version := facts.get("version"), int) and version > 1:
        raise UnsupportedError(f"{path}: version", version)
    host, root = facts.get("host"), facts.get("root")
    if version != 1 or not isinstance(host, str) or not isinstance(root, str):
        raise FormatError(path, "is no registration of a repository")
    # The first release wrote neither.
    git, cache = facts.get("git", f"{root}/.git"), facts.get("cache", "")
    if not isinstance(git, str) or not isinstance(cache, str):
        raise FormatError(path, "is no registration of a repository")
    if not all(map(_can_be_path, (host, root, git, cache))):
        raise FormatError(path, "is no registration of a repository")
    clone_id = os.path.basename(path).removesuffix(".toml").partition("-")[0]
    return User(clone_id, host, root, git, path, cache)


def _can_be_path(text: str) -> bool:
    try:
        return b"\0" not in os.fsencode(text)
    except UnicodeEncodeError:
        return False


def _content(path: str) -> bytes:
    """Return the bytes of a small file that a neighbour may have put there: a pipe is not waited for."""
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    try:
        return os.read(fd, _MOST_TEXT) if stat.S_ISREG(os.fstat(fd).st_mode) else b""
    finally:
        os.close(fd)


def forget_user(user: User, disk: Disk) -> None:
    """Remove a registration.  Raises: local errors."""
    try:
        disk.unlink(user.file)
    except FileNotFoundError:
        return
    except OSError as error:
        raise local_error(error, user.file, "delete") from error


def _clone_id_in(git_folder: str) -> str:
    try:
        return _content(f"{git_folder}/dataver/clone-id")[:64].decode("ascii", "replace").strip()
    except OSError:
        return ""
