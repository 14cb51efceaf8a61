"""Who holds a lock file, for people: nothing is decided by it.

On Linux the kernel's own table names the processes; elsewhere, and across machines, the text does
that each holder writes into the file.
"""

from __future__ import annotations

import contextlib
import os
import sys

from dataver.errors import show_path

_TEXT_LIMIT = 512
_WORDS = 3
_TABLE_LIMIT = 1 << 20


def sign(fd: int) -> None:
    """Write into the lock file who holds it; one that may only be read stays as it is."""
    text = f"process {os.getpid()} on {os.uname().nodename}: {_shown(sys.argv)}\n"
    with contextlib.suppress(OSError):  # the text is for people; the lock holds without it
        os.ftruncate(fd, 0)
        os.pwrite(fd, text.encode("utf-8", "backslashreplace")[:_TEXT_LIMIT], 0)


def unsign(fd: int) -> None:
    """Take away what `sign` wrote, unless another holder has written since."""
    with contextlib.suppress(OSError):
        if os.pread(fd, _TEXT_LIMIT, 0).startswith(f"process {os.getpid()} ".encode()):
            os.ftruncate(fd, 0)


def holder_of(path: str) -> str:
    """Return who holds the lock file: process, machine and command; or nothing where nobody is known."""
    signed = _signed(path)
    pids = [pid for pid in _pids(path) if pid != os.getpid()]
    if not pids:
        return signed
    first = next((pid for pid in pids if signed.startswith(f"process {pid} on ")), 0)
    text = signed if first else describe_process(pids[0])
    return f"{text} and {len(pids) - 1} more" if len(pids) > 1 else text


def _signed(path: str) -> str:
    """Return who signed the lock file last, or nothing where that process is gone."""
    try:
        with open(path, "rb") as file:
            text = file.read(_TEXT_LIMIT).decode("utf-8", "replace").strip()
    except OSError:
        return ""
    words = text.split(" ", 4)
    if len(words) < 4 or not words[1].isdecimal():
        return ""
    if words[3].rstrip(":") == os.uname().nodename:
        try:
            os.kill(int(words[1]), 0)
        except (ProcessLookupError, OverflowError):
            return ""
        except OSError:
            pass
    return "".join(c if c.isprintable() else "?" for c in text)


def _pids(path: str) -> list[int]:
    """Return the processes of this machine that hold the file's lock, as the kernel's table has them."""
    try:
        found = os.stat(path)
        with open("/proc/locks", "rb") as table:
            lines = table.read(_TABLE_LIMIT).decode("ascii", "replace").splitlines()
    except OSError:
        return []
    place = f"{os.major(found.st_dev):02x}:{os.minor(found.st_dev):02x}:{found.st_ino}"
    pids = []
    for line in lines:
        # `1: FLOCK  ADVISORY  WRITE 4711 08:01:1234 0 EOF`; who waits has `->` behind the number.
        words = line.split()
        if len(words) >= 6 and words[1] in ("FLOCK", "OFDLCK") and words[5] == place and words[4].isdigit():
            pids.append(int(words[4]))
    return sorted({pid for pid in pids if pid > 0})


def describe_process(pid: int) -> str:
    """Return process, machine and command of a process of this machine."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            words = file.read(4096).rstrip(b"\0").split(b"\0")
    except OSError:
        words = []
    command = [show_path(word) for word in words if word]
    if command and os.path.basename(command[0]).startswith("python"):
        command = [word for word in command[1:] if word != "-m"]
    return f"process {pid} on {os.uname().nodename}: {_shown(command)}".rstrip(": ")


def _shown(words: list[str]) -> str:
    """Return the first words of a command line, the program by its bare name."""
    if not words:
        return ""
    name = os.path.basename(words[0])
    if name == "__main__.py":
        name = os.path.basename(os.path.dirname(words[0]))
    return " ".join([name, *words[1:_WORDS]])
