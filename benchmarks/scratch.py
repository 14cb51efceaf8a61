"""Fresh file systems: the only module that mounts, unmounts and removes the places of measurements."""

import contextlib
import ctypes
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Kind = Literal["ext4", "tmpfs", "dir"]
KINDS: tuple[Kind, ...] = ("ext4", "tmpfs", "dir")
_CLONE_NEWNS = 0x00020000


@dataclass(frozen=True, slots=True)
class Scratch:
    """An empty folder on a file system that nobody has used before."""

    root: Path
    kind: Kind


class NoSpaceError(Exception):
    """A measurement would not fit on the disk."""

    def __init__(self, needed: int, free: int) -> None:
        super().__init__(f"needs {needed / 1e9:.1f} GB of disk, {free / 1e9:.1f} GB are free")


def hide_mounts() -> None:
    """Give this process mounts of its own, so that the system drops them even when it is killed."""
    if os.geteuid() == 0:
        with contextlib.suppress(OSError, AttributeError):
            if ctypes.CDLL(None).unshare(_CLONE_NEWNS) == 0:
                _succeeds("mount", "--make-rprivate", "/")


@contextlib.contextmanager
def fresh_scratch(parent: Path, wanted: Kind | None, size: int, inodes: int) -> Iterator[Scratch]:
    """Yield a fresh file system below *parent* with room for *size* bytes; all of it is gone afterwards.

    *wanted* None takes the first that works here: loop ext4, tmpfs, a plain folder.

    Raises: NoSpaceError.
    """
    parent.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(parent).free
    if wanted != "tmpfs" and free < size:
        raise NoSpaceError(size, free)
    top = Path(tempfile.mkdtemp(prefix="dataver-bench-", dir=parent))
    root = top / "fs"
    root.mkdir()
    kind: Kind = "dir"
    try:
        if wanted in ("ext4", None) and _mount_ext4(top / "image", root, size, inodes):
            kind = "ext4"
        elif wanted in ("tmpfs", None) and _mount_tmpfs(root, size, inodes):
            kind = "tmpfs"
        elif wanted not in ("dir", None):
            raise NoSpaceError(size, free)
        yield Scratch(root, kind)
    finally:
        if kind != "dir" and not _succeeds("umount", str(root)):
            _succeeds("umount", "--lazy", str(root))
        shutil.rmtree(top, ignore_errors=True)


def _mount_ext4(image: Path, root: Path, size: int, inodes: int) -> bool:
    if os.geteuid() != 0 or not shutil.which("mkfs.ext4"):
        return False
    with image.open("wb") as file:
        file.truncate(size)
    options = "lazy_itable_init=1,lazy_journal_init=1,nodiscard"
    made = _succeeds("mkfs.ext4", "-q", "-F", "-m", "0", "-N", str(inodes), "-E", options, str(image))
    # noinit_itable: no kernel thread may write inode tables in the background while something is measured.
    mounted = made and _succeeds("mount", "-o", "loop,noinit_itable,noatime", str(image), str(root))
    image.unlink()  # the mount keeps it; a killed run leaves nothing on the disk
    if mounted:
        (root / "lost+found").rmdir()
    return mounted


def _mount_tmpfs(root: Path, size: int, inodes: int) -> bool:
    if os.geteuid() != 0 or size > _available_memory() // 2:
        return False
    return _succeeds(
        "mount", "-t", "tmpfs", "-o", f"size={size},nr_inodes={inodes}", "dataver-bench", str(root)
    )


def _available_memory() -> int:
    """Return the bytes of memory that programs could still take."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    return 0


def _succeeds(*argv: str) -> bool:
    return subprocess.run(argv, capture_output=True, check=False).returncode == 0
