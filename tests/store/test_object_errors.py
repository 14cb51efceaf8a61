"""What obstore says of a failure, told by the parts that mean something and by no others."""

from __future__ import annotations

import pytest

from dataver.errors import OfflineError
from dataver.store.object_errors import converted, is_refusal_without_reason, is_taken


class GenericError(Exception):
    """As obstore calls it."""


class PermissionDeniedError(GenericError):
    """As obstore calls it."""


class PreconditionError(GenericError):
    """As obstore calls it."""


_REQUEST = """Debug source:
Generic {
    store: "S3",
    source: RetryError(
        RetryErrorImpl {
            method: GET,
            uri: Some(
                http://127.0.0.1:1/certificate-timeouts/redirect,
            ),
            retries: 0,
            max_retries: 0,
            elapsed: 2.3ms,
            retry_timeout: 180s,
            inner: %s
        },
    ),
}"""


def _no_answer(kind: str, cause: str) -> GenericError:
    said = "Generic S3 error: Error performing GET http://127.0.0.1:1/certificate-timeouts/redirect in 2.3ms"
    below = f"Http(HttpError {{ kind: {kind}, source: {cause} }})"
    return GenericError(f"{said} - HTTP error: error sending request\n\n{_REQUEST % below}")


def _answer(kind: type[Exception], status: str, body: str = "") -> Exception:
    said = (
        f"Error performing HEAD http://h/b/k in 2ms - Server returned non-2xx status code: {status}: {body}"
    )
    return kind(f"Generic S3 error: {said}\n\n{_REQUEST % 'Status'}")


def _code(error: Exception) -> str:
    return converted(error, "s3://certificate-timeouts", "read", "redirect").code


def test_a_connection_that_broke_is_not_taken_for_a_deadline_though_each_request_has_one() -> None:
    error = converted(_no_answer("Request", "IncompleteMessage"), "s3://b", "read", "k")

    assert isinstance(error, OfflineError)
    assert not error.is_late


def test_a_deadline_is_told() -> None:
    error = converted(_no_answer("Timeout", "reqwest::Error { source: TimedOut }"), "s3://b", "read", "k")

    assert isinstance(error, OfflineError)
    assert error.is_late


def test_the_name_of_a_bucket_means_nothing() -> None:
    assert _code(_no_answer("Request", "IncompleteMessage")) == "offline"


def test_a_certificate_that_is_refused_is_told() -> None:
    assert _code(_no_answer("Connect", "invalid peer certificate: UnknownIssuer")) == "tls"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (_answer(GenericError, "400 Bad Request", "<Code>ExpiredToken</Code>"), "expired-credentials"),
        (_answer(GenericError, "503 Service Unavailable"), "offline"),
        (_answer(PermissionDeniedError, "403 Forbidden"), "access-denied"),
        (_answer(GenericError, "404 Not Found", "<Code>NoSuchBucket</Code>"), "bucket-not-found"),
        (_answer(GenericError, "409 Conflict", "<Message>handshake timeout</Message>"), "offline"),
        (GenericError("Received redirect without LOCATION\n\nDebug source:\n"), "wrong-region"),
        (GenericError("Generic S3 error: Got invalid list response: ill-formed document"), "offline"),
    ],
)
def test_an_answer_is_told_by_its_code(error: Exception, code: str) -> None:
    assert _code(error) == code


def test_a_refusal_says_why_or_not() -> None:
    with_reason = _answer(GenericError, "400 Bad Request", "<Code>ExpiredToken</Code>")
    without = _answer(GenericError, "400 Bad Request")

    assert is_refusal_without_reason(without)
    assert not is_refusal_without_reason(with_reason)
    assert not is_refusal_without_reason(_no_answer("Timeout", "TimedOut"))


def test_a_condition_that_was_refused_is_told() -> None:
    assert is_taken(PreconditionError("412"))
    assert is_taken(_answer(GenericError, "409 Conflict", "<Code>ConditionalRequestConflict</Code>"))
    assert not is_taken(_answer(GenericError, "503 Slow Down", "<Code>SlowDown</Code>"))
