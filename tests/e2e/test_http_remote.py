"""A remote that a web server hands out: it can be read, and says so where it cannot be written."""

from __future__ import annotations

import functools
import http.server
import threading
from collections.abc import Iterator

import pytest

from tests.e2e.project import Project, picture


class _Files(http.server.SimpleHTTPRequestHandler):
    """Serves a folder; it knows no ranges."""

    def log_message(self, *args: object) -> None:
        return None


@pytest.fixture
def served(published: Project) -> Iterator[Project]:
    """Give a published project with a second remote, `web`: the first one's folder over HTTP."""
    handler = functools.partial(_Files, directory=str(published.store))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}"
        added = published.run("remote", "add", "web", url)
        assert "Checked: can list, cannot write, cannot delete.\n" in added.stdout
        published.commit("Name the web server")
        yield published
        server.shutdown()
        thread.join(10)


def test_a_remote_is_pulled_and_counted_over_http_and_a_push_is_refused(served: Project) -> None:
    other = served.clone("other")

    other.run("pull", "--remote", "web")
    counted = other.ask("remote", "stats", "web")
    other.write({"data/new.txt": "new\n"})
    other.record("data")
    refused = other.run("push", "--remote", "web", expect=4)
    (other.root / "data/new.txt").unlink()

    assert picture(other.root / "data") == picture(served.root / "data")
    assert (counted["missing_packs"]["count"], counted["packs"]["count"]) == (0, 2)
    assert refused.code == "access-denied"
    assert "over http a remote can only be read" in refused.stderr
