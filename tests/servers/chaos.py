"""A proxy that breaks what it passes on, and counts it: put in front of any server that speaks HTTP.

    with chaos(server.endpoint) as proxy:
        proxy.fail(Rule(SLOW_DOWN, method="PUT", path="/packs/", times=3))
        bucket = open_bucket(url, server.through(proxy.url).options, Disk())
        ...
        assert proxy.count("PUT", "/packs/") == 4

It lives in a thread with a loop of its own.  Heads pass unchanged, so signatures hold (they cover
Host), with two exceptions that they do not cover: `Expect` is answered here, and an answer's
`Location` leads back through the proxy.

Longer than 300 lines because the control, the faults and the relaying of one exchange are one story.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import re
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from tests.servers.faults import (
    Answer,
    CutAnswer,
    CutRequest,
    Delay,
    Fault,
    FlipByte,
    Rule,
    Stall,
    StallAnswer,
    SwallowAnswer,
    Throttle,
)
from tests.servers.frames import (
    LONGEST_HEAD,
    PIECE,
    Head,
    answer_body,
    end_of_body,
    framed,
    has_body,
    has_end,
    read_head,
    request_body,
    status_of,
)

_START_S = 10.0


@dataclass(slots=True)
class Exchange:
    """One request and what became of it; written while it goes on."""

    method: str
    path: str
    """With its query, as the request line has it."""
    head: Head
    status: int = 0
    """Of the answer that the server or the proxy gave; 0 for none."""
    sent: int = 0
    """Bytes of the request's body that came from the client."""
    received: int = 0
    """Bytes of the answer's body that went to the client."""
    faults: tuple[Fault, ...] = ()


class _BrokenError(Exception):
    """Both connections of an exchange are to end at once."""


class Chaos:
    """The control of a running proxy; every method may be called from any thread."""

    def __init__(self, upstream: str, seed: int) -> None:
        parts = urlsplit(upstream)
        assert parts.hostname is not None
        assert parts.port is not None
        self._host, self._port, self._netloc = parts.hostname, parts.port, parts.netloc
        self._random = random.Random(seed)
        self._lock = threading.Lock()
        self._armed: list[tuple[Rule, _Uses]] = []
        self._exchanges: list[Exchange] = []
        self.url = ""

    # -- control ----------------------------------------------------------------------------------

    def fail(self, *rules: Rule) -> None:
        """Add rules; each is asked about every request, and the faults of all that meet it apply."""
        with self._lock:
            self._armed += [(rule, _Uses()) for rule in rules]

    def heal(self) -> None:
        """Drop all rules."""
        with self._lock:
            self._armed = []

    def forget(self) -> None:
        """Count from nothing again."""
        with self._lock:
            self._exchanges = []

    @property
    def requests(self) -> Sequence[Exchange]:
        """Return every request since the start or `forget`, in the order of arrival."""
        with self._lock:
            return tuple(self._exchanges)

    @property
    def failed(self) -> Sequence[Exchange]:
        """Return the requests that met a fault."""
        return tuple(exchange for exchange in self.requests if exchange.faults)

    def count(self, method: str = "", path: str = "") -> int:
        """Return how many requests have a method (all for none) and a path in which *path* is found."""
        return sum(
            method in ("", exchange.method) and re.search(path, exchange.path) is not None
            for exchange in self.requests
        )

    @property
    def sent(self) -> int:
        """Return the bytes of all requests' bodies."""
        return sum(exchange.sent for exchange in self.requests)

    @property
    def received(self) -> int:
        """Return the bytes of all answers' bodies."""
        return sum(exchange.received for exchange in self.requests)

    def _begin(self, head: Head) -> Exchange:
        method, path, _ = head.first.split(" ", 2)
        with self._lock:
            faults = tuple(
                rule.fault
                for rule, uses in self._armed
                if rule.matches(method, path) and uses.is_due(rule, self._random)
            )
            exchange = Exchange(method, path, head, faults=faults)
            self._exchanges.append(exchange)
        return exchange

    # -- the proxy, in its own thread -------------------------------------------------------------

    async def serve(self, started: threading.Event, end: asyncio.Event) -> None:
        """Serve until *end*; `url` is set when *started* is."""
        tasks: set[asyncio.Task[None]] = set()

        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            tasks.add(task)
            try:
                await self._connection(reader, writer)
            finally:
                tasks.discard(task)

        server = await asyncio.start_server(accept, "127.0.0.1", 0, limit=LONGEST_HEAD)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        started.set()
        await end.wait()
        server.close()
        for task in tuple(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with contextlib.AsyncExitStack() as stack:
            stack.callback(writer.close)
            upstream = _Upstream(self._host, self._port)
            stack.callback(upstream.close)
            try:
                while await self._exchange(reader, writer, upstream):
                    continue
            except _BrokenError:
                writer.transport.abort()
                upstream.abort()
            except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
                # One side went away, or the test is over: so does the other.
                writer.transport.abort()

    async def _exchange(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, upstream: _Upstream
    ) -> bool:
        """Pass on one request and its answer; return whether another may follow."""
        head = await read_head(reader)
        if head is None:
            return False
        exchange = self._begin(head)
        if head.value("expect"):
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = request_body(head, reader)
        for fault in exchange.faults:
            if isinstance(fault, Delay):
                await asyncio.sleep(fault.seconds)
            elif isinstance(fault, Stall):
                await _until_gone(reader)
                return False
            elif isinstance(fault, Answer):
                async for piece in body:
                    exchange.sent += len(piece)
                exchange.status = fault.status
                await _write(writer, _encoded(fault, exchange.method))
                exchange.received += len(fault.body)
                return not head.is_last
        await self._send(head, body, exchange, upstream)
        answer = await upstream.answer()
        if answer is None:
            return False
        exchange.status = status_of(answer)
        answer = self._led_back(answer, head.value("host"))
        is_whole = await _relay(answer, exchange, upstream, reader, writer)
        return is_whole and not head.is_last and not answer.is_last and has_end(answer, exchange.method)

    async def _send(
        self, head: Head, body: AsyncIterator[bytes], exchange: Exchange, upstream: _Upstream
    ) -> None:
        """Pass a request on, as far as its faults allow."""
        cut = next((fault.at for fault in exchange.faults if isinstance(fault, CutRequest)), None)
        pace_s = _pace_s(exchange.faults)
        writer = await upstream.opened()
        is_heard = True
        await _write(writer, head.without("expect").encoded())
        if cut == 0:
            raise _BrokenError
        async for piece in body:
            if cut is not None and exchange.sent + len(piece) >= cut:
                await _write(writer, framed(piece[: cut - exchange.sent], head))
                exchange.sent = cut
                raise _BrokenError
            exchange.sent += len(piece)
            if is_heard:
                try:
                    await _write(writer, framed(piece, head))
                except ConnectionError:
                    # A server may answer before it has heard everything; its answer still counts.
                    is_heard = False
            if pace_s:
                await asyncio.sleep(pace_s * len(piece))
        if is_heard:
            await _write(writer, end_of_body(head))

    def _led_back(self, answer: Head, host: str) -> Head:
        lines = tuple(
            line.replace(f"//{self._netloc}/", f"//{host}/") if line.lower().startswith("location:") else line
            for line in answer.lines
        )
        return replace(answer, lines=lines)


class _Uses:
    """How often a rule's requests came by, and how often it struck."""

    __slots__ = ("seen", "struck")

    def __init__(self) -> None:
        self.seen = self.struck = 0

    def is_due(self, rule: Rule, chances: random.Random) -> bool:
        self.seen += 1
        if self.seen <= rule.after or (rule.times is not None and self.struck >= rule.times):
            return False
        if rule.chance < 1.0 and chances.random() >= rule.chance:
            return False
        self.struck += 1
        return True


class _Upstream:
    """The connection to the server that belongs to one of a client's; opened when it is needed."""

    def __init__(self, host: str, port: int) -> None:
        self._address = host, port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    @property
    def reader(self) -> asyncio.StreamReader:
        assert self._streams is not None
        return self._streams[0]

    async def opened(self) -> asyncio.StreamWriter:
        """Return where to write, on a new connection when the server has closed the last one."""
        if self._streams is not None and self._streams[0].at_eof():
            self.close()
        if self._streams is None:
            self._streams = await asyncio.open_connection(*self._address, limit=LONGEST_HEAD)
        return self._streams[1]

    async def answer(self) -> Head | None:
        """Return the head of the answer, interim ones passed over."""
        while (head := await read_head(self.reader)) is not None and 100 <= status_of(head) < 200:
            continue
        return head

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None

    def abort(self) -> None:
        if self._streams is not None:
            self._streams[1].transport.abort()


async def _relay(
    answer: Head,
    exchange: Exchange,
    upstream: _Upstream,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
) -> bool:
    """Pass an answer on, as far as the faults of its exchange allow; return whether all of it went."""
    body = answer_body(answer, upstream.reader, exchange.method)
    if any(isinstance(fault, SwallowAnswer) for fault in exchange.faults):
        async for _ in body:
            continue
        raise _BrokenError
    cut = next((fault for fault in exchange.faults if isinstance(fault, CutAnswer | StallAnswer)), None)
    flipped = [
        fault.offset if fault.offset >= 0 else (answer.length or 0) + fault.offset
        for fault in exchange.faults
        if isinstance(fault, FlipByte)
    ]
    pace_s = _pace_s(exchange.faults)
    await _write(writer, answer.encoded())
    async for whole in body:
        piece = _altered(whole, exchange.received, flipped)
        if cut is not None:
            piece = piece[: cut.at - exchange.received]
        # Counted first: whoever has the answer finds it counted.
        exchange.received += len(piece)
        if piece:
            await _write(writer, framed(piece, answer))
        if cut is not None and exchange.received >= cut.at:
            if isinstance(cut, StallAnswer):
                await _until_gone(reader)
            return False
        if pace_s:
            await asyncio.sleep(pace_s * len(piece))
    await _write(writer, end_of_body(answer) if has_body(answer, exchange.method) else b"")
    return True


def _altered(piece: bytes, position: int, flipped: Sequence[int]) -> bytes:
    """Return a piece of a body that begins at *position*, with the bytes at those offsets changed."""
    inside = [offset - position for offset in flipped if position <= offset < position + len(piece)]
    if not inside:
        return piece
    changed = bytearray(piece)
    for index in inside:
        changed[index] ^= 0xFF
    return bytes(changed)


def _pace_s(faults: Sequence[Fault]) -> float:
    """Return the seconds that each byte takes."""
    return max((1 / fault.bytes_per_s for fault in faults if isinstance(fault, Throttle)), default=0.0)


def _encoded(answer: Answer, method: str) -> bytes:
    """Return an answer of the proxy's own as it goes over the wire."""
    lines = tuple(f"{name}: {value}" for name, value in answer.headers)
    head = Head(f"HTTP/1.1 {answer.status} Fault", (*lines, f"Content-Length: {len(answer.body)}"))
    return head.encoded() + (b"" if method == "HEAD" else answer.body)


async def _write(writer: asyncio.StreamWriter, data: bytes) -> None:
    writer.write(data)
    await writer.drain()


async def _until_gone(reader: asyncio.StreamReader) -> None:
    while await reader.read(PIECE):
        continue


@contextlib.contextmanager
def chaos(upstream: str, *, seed: int = 0) -> Iterator[Chaos]:
    """Yield a proxy for the server at *upstream* (`http://127.0.0.1:PORT`), without any rule yet.

    *seed* decides what rules with a chance meet: the same requests in the same order meet the same.
    """
    proxy = Chaos(upstream, seed)
    loop, end, started = asyncio.new_event_loop(), asyncio.Event(), threading.Event()

    def run() -> None:
        try:
            loop.run_until_complete(proxy.serve(started, end))
        finally:
            loop.close()

    thread = threading.Thread(target=run, name="chaos", daemon=True)
    thread.start()
    assert started.wait(_START_S)
    try:
        yield proxy
    finally:
        loop.call_soon_threadsafe(end.set)
        thread.join(_START_S)
