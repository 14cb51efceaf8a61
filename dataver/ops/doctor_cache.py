"""`doctor` on the cache: where it lies, what that file system can do, and what was left behind."""

from __future__ import annotations

import os
import re
from typing import NamedTuple

from dataver.disk.disk import Clock
from dataver.disk.folders import entries_of
from dataver.disk.space import free_space
from dataver.errors import (
    DataverError,
    FormatError,
    LocalIOError,
    PermissionDeniedError,
    local_error,
    show_bytes,
    show_path,
)
from dataver.git import GitPlace
from dataver.model.config import Config
from dataver.ops.findings import Findings
from dataver.store.census import pack_files
from dataver.workspace.users import list_users

_LITTLE = 1_000_000_000
_OLD_S = 86_400.0
_MOUNTS = "/proc/self/mountinfo"
_NETWORKED = frozenset(
    (
        "nfs",
        "nfs4",
        "cifs",
        "smb3",
        "smbfs",
        "9p",
        "afs",
        "ceph",
        "glusterfs",
        "lustre",
        "fuse.sshfs",
        "fuse.s3fs",
    )
)
_CLONING = frozenset(("btrfs", "xfs", "bcachefs", "ocfs2", "apfs", "zfs"))


def look_at_cache(found: Findings, config: Config, place: GitPlace, *, clock: Clock) -> None:
    """Look at the cache without opening what is in it: damage of objects is for `verify`."""
    folder = config.cache_dir
    common = f"{place.common_dir}/dataver"
    folder = os.path.join(place.top, os.path.expanduser(folder)) if folder else f"{common}/cache"
    try:
        if not os.path.lexists(folder):
            found.ok("cache", f"not made yet ({show_path(folder)})")
            _look_at_room(found, common if os.path.isdir(common) else place.common_dir)
            return
        if not os.path.isdir(folder):
            raise LocalIOError(folder, "is no folder", hint="dataver config set --local cache.dir FOLDER")
        if not os.access(folder, os.R_OK | os.X_OK):
            raise PermissionDeniedError(folder)
        packs = len(pack_files(folder))
        found.ok("cache", f"{packs} packs in {show_path(folder)}")
        if not os.access(folder, os.W_OK):
            found.warn("cache", "may only be read: checkout works, add and fetch do not")
        _look_at_room(found, folder)
        _look_at_links(found, config, folder, place.top)
        _look_at_leftovers(found, folder, clock)
        _look_at_users(found, folder)
    except OSError as error:
        found.problem("cache", local_error(error, folder))
    except DataverError as error:
        found.problem("cache", error)


def _look_at_room(found: Findings, folder: str) -> None:
    free = free_space(folder)
    if free is None:
        found.warn("room", "the file system does not say how much is free where the cache lies")
    elif free < _LITTLE:
        found.warn("room", f"{show_bytes(free)} free where the cache lies", "dataver gc --dry-run")
    else:
        found.ok("room", f"{show_bytes(free)} free where the cache lies")


class _Mount(NamedTuple):
    folder: str
    kind: str


def _mount_of(path: str) -> _Mount | None:
    """Return what *path* is mounted from; None where the system does not say."""
    try:
        with open(_MOUNTS, encoding="utf-8", errors="surrogateescape") as file:
            lines = file.read().splitlines()
    except OSError:
        return None
    whole = os.path.realpath(path)
    best: _Mount | None = None
    for line in lines:
        words = line.split(" ")
        if len(words) < 10 or "-" not in words:
            continue
        folder = re.sub(r"\\([0-7]{3})", lambda m: chr(int(m[1], 8)), words[4])
        is_above = whole == folder or whole.startswith(folder.rstrip("/") + "/")
        # Of two mounts on one folder the later hides the earlier.
        if is_above and (best is None or len(folder) >= len(best.folder)):
            best = _Mount(folder, words[words.index("-") + 1])
    return best


def _look_at_links(found: Findings, config: Config, folder: str, top: str) -> None:
    """Say by which ways files can leave the cache; nothing is written to find out."""
    mount = _mount_of(folder)
    kind = mount.kind if mount else "unknown file system"
    if kind in _NETWORKED:
        found.warn(
            "file system",
            f"the cache lies on {kind}: locks and atomic renames are as good as that server makes them",
            "see docs/testing.md; to move it: dataver config set --local cache.dir FOLDER",
        )
    is_same = os.stat(folder).st_dev == os.stat(top).st_dev
    ways = ["copy"]
    if is_same:
        ways = ["hardlink", *ways]
        if kind in _CLONING:
            ways = ["reflink, where that file system was made with it", *ways]
    else:
        ways = [*ways, "symlink"]
    where = "on the file system of the work tree" if is_same else "on another file system than the work tree"
    found.ok("links", f"{where} ({kind}); possible: {', '.join(ways)}; asked for: {', '.join(config.links)}")
    if not is_same and "hardlink" in config.links:
        found.warn("links", "hard links are asked for and not possible", "dataver config set cache.link copy")


def _look_at_leftovers(found: Findings, folder: str, clock: Clock) -> None:
    now = clock.now_s()
    old = [e for e in entries_of(f"{folder}/tmp") if now - e.stat(follow_symlinks=False).st_mtime > _OLD_S]
    if old:
        size = sum(e.stat(follow_symlinks=False).st_size for e in old)
        found.warn(
            "cache", f"{len(old)} temp files of commands that were killed, {show_bytes(size)}", "dataver gc"
        )
    damaged = len(entries_of(f"{folder}/quarantine"))
    if damaged:
        what = "1 damaged file was" if damaged == 1 else f"{damaged} damaged files were"
        found.warn("cache", f"{what} set aside in quarantine", "dataver verify --cache")


def _look_at_users(found: Findings, folder: str) -> None:
    """Look for repositories that said that they use this cache, and are gone."""
    try:
        users = list_users(folder)
    except FormatError as error:
        found.warn("cache", f"{show_path(error.what)} cannot be read", f"rm {show_path(error.what)}")
        return
    host = os.uname().nodename
    for user in users:
        if user.host == host and not user.is_here and not os.path.isdir(user.root):
            message = f"a repository that used it is gone: {show_path(user.root)}"
            hint = f"if it is gone for good: dataver gc --forget {show_path(user.root)}"
            found.warn("cache", message, hint)
