"""A server of the tests ends with the test, whatever becomes of it."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.servers.daemon import DaemonError, daemon, free_port, takes_connections, wait_until

ROOT = Path(__file__).resolve().parents[2]


def server(port: int) -> list[str]:
    return [sys.executable, "-m", "http.server", "--bind", "127.0.0.1", str(port)]


def test_a_server_answers_within_the_block_and_not_after_it(tmp_path: Path) -> None:
    port = free_port()

    with daemon(server(port), tmp_path / "log", port=port):
        within = takes_connections(port)

    assert (within, takes_connections(port)) == (True, False)


def test_a_server_that_ends_at_once_is_an_error_with_its_last_words(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "raise SystemExit('no such option')"]

    with pytest.raises(DaemonError, match="no such option"), daemon(command, tmp_path / "log", port=1):
        pytest.fail("came up")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent died")
def test_a_server_dies_with_a_killed_test(tmp_path: Path) -> None:
    port = free_port()
    program = (
        "import pathlib, time\n"
        "from tests.servers.daemon import daemon\n"
        f"with daemon({server(port)!r}, pathlib.Path({str(tmp_path / 'log')!r}), port={port}):\n"
        "    print('up', flush=True)\n"
        "    time.sleep(60)\n"
    )
    test = subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE)
    assert test.stdout is not None
    assert test.stdout.readline() == b"up\n"

    test.send_signal(signal.SIGKILL)
    test.communicate(timeout=10)

    wait_until(lambda: not takes_connections(port), "the server is gone", timeout_s=10)
