"""S3 as rclone serves a folder: a store that ignores If-None-Match and keeps no versions."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.servers.daemon import daemon, free_port
from tests.servers.server import Server, s3_server

_KEY, _SECRET = "testkey", "testsecret"


@contextlib.contextmanager
def rclone(folder: Path) -> Iterator[Server]:
    """Yield a running `rclone serve s3` over a folder below *folder*."""
    port = free_port()
    data = folder / "rclone"
    data.mkdir()
    command = [
        _program(), "serve", "s3", str(data), "--addr", f"127.0.0.1:{port}",
        "--auth-key", f"{_KEY},{_SECRET}", "--config", os.devnull,
    ]  # fmt: skip
    with daemon(command, folder / "rclone.log", port=port):
        yield s3_server("rclone", f"http://127.0.0.1:{port}", _KEY, _SECRET)


def _program() -> str:
    """Return rclone's path: beside this Python, where its wheel puts it, or anywhere."""
    beside = Path(sys.executable).with_name("rclone")
    return str(beside) if beside.exists() else shutil.which("rclone") or "rclone"
