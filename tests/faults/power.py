"""A file system in a loop device whose power can be cut: ext4 or XFS, through the shutdown ioctl.

What is mounted is seen by this process and its children alone, and goes with it however it ends.
"""

from __future__ import annotations

import ctypes
import fcntl
import functools
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

_SHUTDOWN = 0x8004587D
"""_IOR('X', 125, __u32): EXT4_IOC_SHUTDOWN and XFS_IOC_GOINGDOWN."""

LOG_LOST = 2
"""The journal in memory is lost: only what was synced is there afterwards."""
LOG_KEPT = 1
"""The journal is written and the data behind it is not: names without their content."""

_CLONE_NEWNS = 0x00020000  # linux/sched.h

_SIZES = {"ext4": 96 << 20, "xfs": 320 << 20}
"""In bytes; XFS makes none below 300 MiB."""
_MAKE = {"ext4": ("mkfs.ext4", "-q", "-F"), "xfs": ("mkfs.xfs", "-q", "-f")}
_TIMEOUT_S = 120


def require(kind: str) -> None:
    """Skip the test where no file system of *kind* can be mounted."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount a file system and cut its power")
    if shutil.which(_MAKE[kind][0]) is None:
        pytest.skip(f"{_MAKE[kind][0]} is not installed")
    if not Path("/dev/loop-control").exists():
        pytest.skip("this machine has no loop devices")
    _keep_mounts_private()


@functools.cache
def _keep_mounts_private() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWNS):
        pytest.skip(f"no mount namespace: {os.strerror(ctypes.get_errno())}")
    _run("mount", "--make-rprivate", "/")


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, timeout=_TIMEOUT_S)


@dataclass(frozen=True)
class Power:
    """One file system in a file, mounted at *top*."""

    kind: str
    image: Path
    top: Path

    def make(self) -> None:
        """Make the file system and mount it."""
        self.top.mkdir(parents=True, exist_ok=True)
        with open(self.image, "wb") as file:
            file.truncate(_SIZES[self.kind])
        _run(*_MAKE[self.kind], str(self.image))
        self.mount()

    def mount(self) -> None:
        """Mount it; what the journal holds is replayed."""
        _run("mount", "-o", "loop", "-t", self.kind, str(self.image), str(self.top))

    def unmount(self) -> None:
        _run("umount", str(self.top))

    def settle(self) -> None:
        """Make durable all that there is."""
        _run("sync", "-f", str(self.top))

    def cut(self, how: int) -> None:
        """Lose what is not durable, as a cut of the power does, and start again."""
        fd = os.open(self.top, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.ioctl(fd, _SHUTDOWN, how.to_bytes(4, "little"))
        finally:
            os.close(fd)
        self.unmount()
        self.mount()

    def remove(self) -> None:
        """Unmount it, whatever state it is in, and remove its file."""
        subprocess.run(["umount", "-l", str(self.top)], check=False, capture_output=True, timeout=_TIMEOUT_S)
        self.image.unlink(missing_ok=True)
