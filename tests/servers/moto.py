"""S3 as moto plays it: conditional puts, versions and multipart uploads; it checks no secret."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.servers.daemon import daemon, free_port
from tests.servers.server import Server, s3_server


@contextlib.contextmanager
def moto(folder: Path) -> Iterator[Server]:
    """Yield a running moto server, whose log lies in *folder*; it keeps everything in memory."""
    port = free_port()
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with daemon(command, folder / "moto.log", port=port):
        yield s3_server("moto", f"http://127.0.0.1:{port}", "testkey", "testsecret")
