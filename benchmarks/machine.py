"""What the figures hold for: processor, memory, system, versions and date."""

import contextlib
import hashlib
import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path

_TOP = Path(__file__).resolve().parent.parent


def describe_machine() -> dict[str, str]:
    """Return the facts of this machine, in the order in which they are shown."""
    processor = _first_field("/proc/cpuinfo", "model name") or platform.machine()
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "processor": f"{processor}, {os.cpu_count()} cores",
        "memory": _memory(),
        "system": f"{platform.system()} {platform.release()}",
        "Python": platform.python_version(),
        "Git": _answer("git", "--version").removeprefix("git version "),
        "commit": _answer("git", "-C", str(_TOP), "rev-parse", "--short", "HEAD"),
    }


def digest_source() -> str:
    """Return a digest of dataver's source, by which figures of another state of it are told apart."""
    digest = hashlib.blake2b(digest_size=8)
    for path in sorted((_TOP / "dataver").rglob("*.py")):
        digest.update(f"{path.relative_to(_TOP)}\n".encode() + path.read_bytes())
    return digest.hexdigest()


def load_average() -> str:
    """Return how busy the machine is: runnable programs in the last 1 and 15 minutes."""
    one, _, fifteen = os.getloadavg()
    return f"{one:.1f} (1 min), {fifteen:.1f} (15 min)"


def _memory() -> str:
    total = _first_field("/proc/meminfo", "MemTotal").split()
    return f"{int(total[0]) / (1 << 20):.0f} GiB" if total else "unknown"


def _first_field(path: str, name: str) -> str:
    with contextlib.suppress(OSError):
        for line in Path(path).read_text().splitlines():
            key, _, value = line.partition(":")
            if key.strip() == name:
                return value.strip()
    return ""


def _answer(*argv: str) -> str:
    answer = subprocess.run(argv, capture_output=True, text=True, check=False)
    return answer.stdout.strip() if answer.returncode == 0 else "unknown"
