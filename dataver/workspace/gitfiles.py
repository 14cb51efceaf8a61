"""The lines that dataver keeps in files of Git: `.gitignore`, `.gitattributes`, the drivers in its config.

A line is added once and taken out with what it stood for; everything else in these files is the
user's and stays as it is.
"""

from __future__ import annotations

import os

from dataver.disk.atomic import replace
from dataver.disk.disk import Disk
from dataver.disk.safe_open import open_file, open_root
from dataver.errors import local_error
from dataver.git import Git

ATTRIBUTES_LINE = b"*.dv text eol=lf diff=dataver merge=dataver"
DRIVERS = (
    ("diff.dataver.command", "dataver git-diff"),
    ("diff.dataver.textconv", "dataver git-textconv"),
    ("merge.dataver.name", "dataver pointer merge"),
    ("merge.dataver.driver", "dataver git-merge %O %A %B %P"),
)
_MAX_SIZE = 16 * 1024 * 1024


def ignore_file_of(target: bytes) -> bytes:
    """Return the `.gitignore` that holds the line for *target*."""
    folder = target.rpartition(b"/")[0]
    return folder + b"/.gitignore" if folder else b".gitignore"


def ignore_line(target: bytes) -> bytes:
    """Return the anchored, escaped line that makes Git ignore *target*."""
    name = target.rpartition(b"/")[2]
    escaped = b"".join(b"\\" + bytes((c,)) if c in b"\\*?[" else bytes((c,)) for c in name)
    if escaped.endswith(b" "):
        escaped = escaped[:-1] + b"\\ "
    return b"/" + escaped


def add_line(top: str, path: bytes, line: bytes, disk: Disk) -> bool:
    """Add *line* to the file *path* below *top* unless it stands there; tell whether it was added."""
    text = _read(top, path)
    if line in text.splitlines():
        return False
    if text and not text.endswith(b"\n"):
        text += b"\n"
    replace(disk, os.fsencode(top) + b"/" + path, text + line + b"\n")
    return True


def remove_line(top: str, path: bytes, line: bytes, disk: Disk) -> bool:
    """Take *line* out of the file *path* below *top*; a file that held nothing else goes.

    Tells whether the line stood there.
    """
    text = _read(top, path)
    lines = text.splitlines(keepends=True)
    kept = [each for each in lines if each.rstrip(b"\r\n") != line]
    if len(kept) == len(lines):
        return False
    whole = os.fsencode(top) + b"/" + path
    if kept:
        replace(disk, whole, b"".join(kept))
    else:
        try:
            disk.unlink(whole)
        except OSError as error:
            raise local_error(error, whole, "delete") from error
    return True


def _read(top: str, path: bytes) -> bytes:
    root_fd = open_root(top)
    try:
        fd = open_file(root_fd, path)
    except (FileNotFoundError, NotADirectoryError):
        return b""
    except OSError as error:
        raise local_error(error, path) from error
    finally:
        os.close(root_fd)
    with open(fd, "rb") as file:
        return file.read(_MAX_SIZE)


def ensure_drivers(git: Git) -> None:
    """Put dataver's diff and merge drivers into this clone's Git config, where they are missing.

    Git cannot get them with a clone, so the first command in a clone does this; looking whether
    it was done reads one small file and starts no program.
    """
    try:
        with open(f"{git.place.common_dir}/config", "rb") as file:
            text = file.read(_MAX_SIZE)
    except OSError:
        return
    if b'[diff "dataver"]' in text and b'[merge "dataver"]' in text:
        return
    for key, value in DRIVERS:
        git.config_set(key, value)
