"""What a bucket on a server says when the server refuses, fails or breaks off: the same for every client."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest

from dataver.errors import AccessDeniedError, BucketNotFoundError, OfflineError, RemoteError
from dataver.store.bucket import Bucket
from tests.servers.chaos import Chaos, chaos
from tests.servers.faults import (
    INTERNAL_ERROR,
    SLOW_DOWN,
    UNAVAILABLE,
    CutAnswer,
    CutRequest,
    Fault,
    FlipByte,
    Rule,
    SwallowAnswer,
    plain_error,
    s3_error,
)
from tests.store import kinds
from tests.store.kinds import Kind, Place

KEY = "packs/ab/abcdef"
CONTENT = bytes(range(256)) * 64

Operation = Callable[[Bucket], object]
OPERATIONS: dict[str, Operation] = {
    "get": lambda bucket: bucket.get(KEY),
    "range": lambda bucket: bucket.get(KEY, 1, 10),
    "head": lambda bucket: bucket.head(KEY),
    "list": lambda bucket: list(bucket.list("packs/")),
    "put": lambda bucket: bucket.put(KEY, CONTENT),
    "put-new": lambda bucket: bucket.put_new(KEY, CONTENT),
    "delete": lambda bucket: bucket.delete([KEY]),
}
READS = ("get", "range", "head", "list")

# What ignores conditions is not there to be held to more than the contract.
TRUSTED = {name: kind for name, kind in kinds.SERVED.items() if kind.has_create_if_absent}
STRICT = {
    name: kind for name, kind in kinds.SERVED.items() if kind.server in ("rclone_server", "ceph_server")
}


class Behind(NamedTuple):
    """A bucket and the proxy through which it is reached."""

    bucket: Bucket
    proxy: Chaos


@pytest.fixture(scope="module", params=kinds.parameters(TRUSTED))
def kind(request: pytest.FixtureRequest) -> Kind:
    """Return each kind with a server in turn."""
    assert isinstance(request.param, Kind)
    return request.param


@pytest.fixture(scope="module")
def behind(kind: Kind, request: pytest.FixtureRequest) -> Iterator[Behind]:
    """Return a bucket behind a proxy; one for all tests of a kind, since a client takes long to open."""
    server = kinds.server_of(kind, request)
    with chaos(server.endpoint) as proxy:
        bucket = kind.opened(
            Place(f"{server.fresh_bucket()}/prefix", server.through(proxy.url).options, Path())
        )
        bucket.prepare()
        yield Behind(bucket, proxy)


@pytest.fixture
def proxy(behind: Behind) -> Iterator[Chaos]:
    """Return the proxy, without rules."""
    yield behind.proxy
    behind.proxy.heal()


@pytest.fixture
def bucket(behind: Behind, proxy: Chaos) -> Bucket:
    """Return the bucket behind the proxy, holding one object."""
    for info in behind.bucket.list(""):
        behind.bucket.delete([info.key])
    behind.bucket.put(KEY, CONTENT)
    proxy.forget()
    return behind.bucket


def _answer_of(bucket: Bucket, operation: str) -> str:
    """Return the class of the error that an operation ends with; "" for none."""
    try:
        OPERATIONS[operation](bucket)
    except RemoteError as error:
        return type(error).__name__
    return ""


def test_a_bucket_that_is_not_there_is_said_to_be_missing_whatever_is_asked(
    kind: Kind, request: pytest.FixtureRequest
) -> None:
    server = kinds.server_of(kind, request)
    bucket = kind.opened(Place(f"{server.scheme}://never-made/prefix", server.options, Path()))

    found = {operation: _answer_of(bucket, operation) for operation in (*READS, "put", "put-new")}

    assert set(found.values()) == {"BucketNotFoundError"}, found


def test_a_bucket_that_is_not_there_cannot_be_prepared(kind: Kind, request: pytest.FixtureRequest) -> None:
    server = kinds.server_of(kind, request)
    bucket = kind.opened(Place(f"{server.scheme}://never-made/prefix", server.options, Path()))

    with pytest.raises(BucketNotFoundError):
        bucket.prepare()


@pytest.mark.parametrize(
    "fault", [UNAVAILABLE, SLOW_DOWN, INTERNAL_ERROR, plain_error(429)], ids=["503", "SlowDown", "500", "429"]
)
def test_a_server_that_fails_gives_an_error_that_may_be_tried_again(
    bucket: Bucket, proxy: Chaos, fault: Fault
) -> None:
    proxy.fail(Rule(fault, times=None))

    found = {operation: _answer_of(bucket, operation) for operation in OPERATIONS}

    assert set(found.values()) == {"OfflineError"}, found


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_client_does_not_try_again_by_itself(bucket: Bucket, proxy: Chaos, operation: str) -> None:
    proxy.fail(Rule(UNAVAILABLE, times=None))

    _answer_of(bucket, operation)

    # gcsfs asks for an object and for a folder of that name at the same time.
    assert proxy.count() <= 2


@pytest.mark.parametrize("at", [0, 1000])
def test_a_body_that_is_cut_is_never_taken_for_a_whole_one(bucket: Bucket, proxy: Chaos, at: int) -> None:
    proxy.fail(Rule(CutAnswer(at), method="GET", times=None))

    with pytest.raises(OfflineError):
        bucket.get(KEY)


def test_a_cut_upload_leaves_what_was_there(bucket: Bucket, proxy: Chaos) -> None:
    proxy.fail(Rule(CutRequest(100), method="PUT|POST", times=None))

    with pytest.raises(OfflineError):
        bucket.put(KEY, b"x" * 5000)

    proxy.heal()
    assert bucket.get(KEY) == CONTENT


def test_a_put_whose_answer_is_lost_is_an_error_and_is_there(bucket: Bucket, proxy: Chaos) -> None:
    proxy.fail(Rule(SwallowAnswer(), method="PUT|POST", times=None))

    with pytest.raises(OfflineError):
        bucket.put_new("journal/1", b"entry")

    proxy.heal()
    assert bucket.get("journal/1") == b"entry"


def test_a_flipped_byte_passes_or_fails_but_nothing_else_changes(bucket: Bucket, proxy: Chaos) -> None:
    proxy.fail(Rule(FlipByte(100), method="GET"))

    try:
        found = bucket.get(KEY)
    except OfflineError:
        return

    # No client can be relied on to notice: that is why every object is hashed.
    assert [at for at, pair in enumerate(zip(found, CONTENT, strict=True)) if pair[0] != pair[1]] == [100]


def test_denied_is_told_from_missing_with_the_operation_named(bucket: Bucket, proxy: Chaos) -> None:
    proxy.fail(Rule(s3_error(403, "AccessDenied"), times=None))

    with pytest.raises(AccessDeniedError) as caught:
        bucket.put(KEY, b"x")

    assert caught.value.operation == "write"


def test_a_port_where_nothing_listens_is_offline(kind: Kind, request: pytest.FixtureRequest) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        server = kinds.server_of(kind, request).through(f"http://127.0.0.1:{taken.getsockname()[1]}")
        bucket = kind.opened(Place(f"{server.scheme}://any/prefix", server.options, Path()))

        with pytest.raises(OfflineError):
            bucket.get(KEY)


@pytest.mark.parametrize("strict", kinds.parameters(STRICT))
@pytest.mark.parametrize("name", ["access_key_id", "secret_access_key"])
def test_wrong_credentials_are_said_to_be_denied(
    strict: Kind, request: pytest.FixtureRequest, name: str
) -> None:
    server = kinds.server_of(strict, request)
    wrong = replace(server, options={**server.options, name: "wrong"})
    bucket = strict.opened(Place(f"{server.fresh_bucket()}/prefix", wrong.options, Path()))

    with pytest.raises(AccessDeniedError):
        bucket.put(KEY, b"x")
