"""Foreign errors, known by the names of their classes and the codes of their answers."""

from __future__ import annotations

import errno
import socket

import pytest

from dataver.store.cloud_errors import converted, is_taken


class NoCredentialsError(Exception):
    """As botocore calls it."""


class EndpointConnectionError(Exception):
    """As botocore calls it."""


class ClientError(Exception):
    """As botocore calls it, with the code of the answer."""

    def __init__(self, code: str) -> None:
        super().__init__(f"An error occurred ({code})")
        self.response = {"Error": {"Code": code}}


def raised_from(outer: Exception, inner: Exception) -> Exception:
    outer.__cause__ = inner
    return outer


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (NoCredentialsError("none"), "no-credentials"),
        (raised_from(OSError("x"), NoCredentialsError("none")), "no-credentials"),
        (PermissionError("Forbidden"), "access-denied"),
        (raised_from(OSError("x"), ClientError("AccessDenied")), "access-denied"),
        (raised_from(FileNotFoundError("x"), ClientError("NoSuchBucket")), "bucket-not-found"),
        (EndpointConnectionError("Could not connect"), "offline"),
        (TimeoutError(), "offline"),
        (ConnectionResetError(), "offline"),
        (raised_from(OSError("x"), socket.gaierror(-2, "unknown")), "offline"),
        (OSError(errno.EIO, "SlowDown"), "offline"),
        (RuntimeError("something else"), "offline"),
    ],
)
def test_a_foreign_error_becomes_one_of_ours(error: Exception, code: str) -> None:
    found = converted(error, "s3", "s3://bucket/x", "write", "packs/1")

    assert found.code == code
    assert found.exit_status == 4


def test_who_has_no_credentials_hears_what_was_tried_and_how_to_give_them() -> None:
    s3 = converted(NoCredentialsError("x"), "s3", "s3://b", "read", "k")
    gs = converted(NoCredentialsError("x"), "gs", "gs://b", "read", "k")

    assert "instance role" in str(s3)
    assert "aws configure" in s3.hint
    assert "gcloud" in gs.hint


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (FileExistsError(), True),
        (raised_from(OSError(errno.EINVAL, "x"), ClientError("PreconditionFailed")), True),
        (raised_from(OSError("x"), ClientError("ConditionalRequestConflict")), True),
        (OSError(errno.EINVAL, "x"), False),
        (PermissionError(), False),
        (raised_from(OSError("x"), ClientError("SlowDown")), False),
    ],
)
def test_a_refused_condition_is_told_from_other_refusals(error: Exception, expected: bool) -> None:
    assert is_taken(error) is expected
