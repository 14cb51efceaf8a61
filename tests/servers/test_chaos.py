"""The proxy breaks what it is told to, counts what passes, and leaves everything else as it was."""

from __future__ import annotations

import http.client
import http.server
import threading
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from tests.servers.chaos import Chaos, chaos
from tests.servers.faults import (
    SLOW_DOWN,
    CutAnswer,
    CutRequest,
    Delay,
    FlipByte,
    Rule,
    Stall,
    StallAnswer,
    SwallowAnswer,
    Throttle,
    plain_error,
)

BODY = bytes(range(256)) * 1000


class _Store(http.server.ThreadingHTTPServer):
    """A server that keeps what it is given."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.kept = {"/body": BODY}
        self.hosts: list[str] = []
        self.url = f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Store

    def do_GET(self) -> None:
        self.server.hosts.append(self.headers["Host"])
        if self.path == "/moved":
            self._answer(302, b"", "Location", f"{self.server.url}/elsewhere")
        elif self.path == "/chunked":
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.write(b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")
        else:
            body = self.server.kept.get(self.path)
            self._answer(404 if body is None else 200, body or b"")

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_PUT(self) -> None:
        length = int(self.headers["Content-Length"])
        body = self.rfile.read(length)
        if len(body) == length:
            self.server.kept[self.path] = body
            self._answer(200, b"")

    def _answer(self, status: int, body: bytes, name: str = "X-Kept", value: str = "yes") -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        return None


@pytest.fixture
def store() -> Iterator[_Store]:
    """Return a running server."""
    with _Store() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def proxy(store: _Store) -> Iterator[Chaos]:
    """Return a proxy before the server."""
    with chaos(store.url) as made:
        yield made


@pytest.fixture
def client(proxy: Chaos) -> Iterator[http.client.HTTPConnection]:
    """Return a client of the proxy."""
    made = http.client.HTTPConnection(urlsplit(proxy.url).netloc, timeout=10)
    yield made
    made.close()


def get(client: http.client.HTTPConnection, path: str = "/body", method: str = "GET") -> tuple[int, bytes]:
    client.request(method, path)
    answer = client.getresponse()
    return answer.status, answer.read()


def put(client: http.client.HTTPConnection, path: str, body: bytes) -> int:
    client.request("PUT", path, body)
    answer = client.getresponse()
    answer.read()
    return answer.status


def test_without_rules_everything_passes_and_is_counted(
    client: http.client.HTTPConnection, proxy: Chaos
) -> None:
    stored = put(client, "/new?x=1", b"12345")
    found = get(client, "/new?x=1")

    assert (stored, found) == (200, (200, b"12345"))
    assert [(each.method, each.path, each.status) for each in proxy.requests] == [
        ("PUT", "/new?x=1", 200),
        ("GET", "/new?x=1", 200),
    ]
    assert (proxy.sent, proxy.received, proxy.count("PUT"), proxy.count(path=r"x=\d")) == (5, 5, 1, 2)


def test_the_host_that_the_client_named_reaches_the_server(
    client: http.client.HTTPConnection, proxy: Chaos, store: _Store
) -> None:
    get(client)

    assert store.hosts == [urlsplit(proxy.url).netloc]


def test_an_answer_without_a_body_does_not_hold_up_the_next(
    client: http.client.HTTPConnection, proxy: Chaos
) -> None:
    head = get(client, method="HEAD")
    body = get(client)

    assert (head, body) == ((200, b""), (200, BODY))
    assert proxy.received == len(BODY)


def test_a_body_in_chunks_arrives_whole(client: http.client.HTTPConnection) -> None:
    assert (get(client, "/chunked"), get(client)) == ((200, b"abcde"), (200, BODY))


def test_a_redirection_leads_back_through_the_proxy(client: http.client.HTTPConnection, proxy: Chaos) -> None:
    client.request("GET", "/moved")
    answer = client.getresponse()
    answer.read()

    assert answer.headers["Location"] == f"{proxy.url}/elsewhere"


def test_one_that_waits_to_be_told_to_go_on_is_told(
    client: http.client.HTTPConnection, store: _Store
) -> None:
    client.putrequest("PUT", "/waited")
    client.putheader("Content-Length", "4")
    client.putheader("Expect", "100-continue")
    client.endheaders(b"body")
    status = client.getresponse().status

    assert (status, store.kept["/waited"]) == (200, b"body")


@pytest.mark.parametrize(("offset", "index"), [(0, 0), (70_000, 70_000), (-1, len(BODY) - 1)])
def test_one_byte_is_flipped_where_the_rule_says(
    client: http.client.HTTPConnection, proxy: Chaos, offset: int, index: int
) -> None:
    proxy.fail(Rule(FlipByte(offset)))

    _, found = get(client)
    _, again = get(client)

    assert [at for at, pair in enumerate(zip(found, BODY, strict=True)) if pair[0] != pair[1]] == [index]
    assert again == BODY


@pytest.mark.parametrize("at", [0, 1, 100_000])
def test_an_answer_is_cut_at_an_offset(client: http.client.HTTPConnection, proxy: Chaos, at: int) -> None:
    proxy.fail(Rule(CutAnswer(at)))

    client.request("GET", "/body")
    with pytest.raises(http.client.IncompleteRead) as caught:
        client.getresponse().read()

    assert caught.value.partial == BODY[:at]
    assert proxy.received == at


def test_a_cut_request_never_becomes_an_object(
    client: http.client.HTTPConnection, proxy: Chaos, store: _Store
) -> None:
    proxy.fail(Rule(CutRequest(1000), method="PUT"))

    with pytest.raises(OSError):
        put(client, "/cut", BODY)

    assert "/cut" not in store.kept
    assert proxy.failed[0].sent == 1000


def test_a_swallowed_answer_leaves_the_request_done(
    client: http.client.HTTPConnection, proxy: Chaos, store: _Store
) -> None:
    proxy.fail(Rule(SwallowAnswer(), method="PUT"))

    with pytest.raises((ConnectionError, http.client.HTTPException)):
        put(client, "/done", b"body")

    assert store.kept["/done"] == b"body"
    assert proxy.requests[0].status == 200


@pytest.mark.parametrize("fault", [Stall(), StallAnswer(10)])
def test_a_stalled_answer_never_ends(proxy: Chaos, fault: Stall | StallAnswer) -> None:
    proxy.fail(Rule(fault))
    client = http.client.HTTPConnection(urlsplit(proxy.url).netloc, timeout=0.1)

    with pytest.raises(TimeoutError):
        get(client)

    client.close()


def test_an_answer_of_the_proxy_says_what_the_rule_says(
    client: http.client.HTTPConnection, proxy: Chaos, store: _Store
) -> None:
    proxy.fail(Rule(plain_error(429, retry_after_s=7)))

    client.request("PUT", "/refused", BODY)
    answer = client.getresponse()
    answer.read()

    assert (answer.status, answer.headers["Retry-After"]) == (429, "7")
    assert "/refused" not in store.kept


def test_slow_down_is_worded_as_s3_does(client: http.client.HTTPConnection, proxy: Chaos) -> None:
    proxy.fail(Rule(SLOW_DOWN))

    status, body = get(client)

    assert status == 503
    assert b"<Code>SlowDown</Code>" in body


def test_a_rule_meets_the_requests_that_it_names_after_so_many_and_so_often(
    client: http.client.HTTPConnection, proxy: Chaos
) -> None:
    proxy.fail(Rule(plain_error(500), method="GET|HEAD", path="^/bo", after=1, times=2))

    statuses = [get(client, path)[0] for path in ("/body", "/none", "/body", "/none", "/body", "/body")]

    assert statuses == [200, 404, 500, 404, 500, 200]


def test_chance_is_decided_by_the_seed(store: _Store) -> None:
    def met() -> list[int]:
        with chaos(store.url, seed=3) as proxy:
            proxy.fail(Rule(plain_error(500), times=None, chance=0.3))
            client = http.client.HTTPConnection(urlsplit(proxy.url).netloc, timeout=10)
            statuses = [get(client)[0] for _ in range(30)]
            client.close()
        return statuses

    first, second = met(), met()

    assert first == second
    assert set(first) == {200, 500}


def test_a_healed_proxy_lets_everything_pass(client: http.client.HTTPConnection, proxy: Chaos) -> None:
    proxy.fail(Rule(plain_error(500), times=None))

    proxy.heal()

    assert get(client)[0] == 200


@pytest.mark.parametrize("fault", [Delay(0.05), Throttle(len(BODY) * 20)])
def test_a_slow_answer_is_slow_and_right(
    client: http.client.HTTPConnection, proxy: Chaos, fault: Delay | Throttle
) -> None:
    proxy.fail(Rule(fault))
    started = time.monotonic()

    _, found = get(client)

    assert found == BODY
    # At least: a busy machine only makes it later.
    assert time.monotonic() - started >= 0.03


def test_a_proxy_before_nobody_closes_the_connection() -> None:
    with chaos("http://127.0.0.1:9") as proxy:
        client = http.client.HTTPConnection(urlsplit(proxy.url).netloc, timeout=10)

        with pytest.raises((ConnectionError, http.client.HTTPException)):
            get(client)

        client.close()
