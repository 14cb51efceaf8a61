"""What the proxy of `chaos` can do to a request, and to which: plain data, made by tests and benchmarks."""

from __future__ import annotations

import re
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class FlipByte:
    """Change one byte of the answer's body; a negative offset counts from its end."""

    offset: int = 0


@dataclass(frozen=True, slots=True)
class CutRequest:
    """Pass on that many bytes of the request's body, then break both connections."""

    at: int = 0


@dataclass(frozen=True, slots=True)
class CutAnswer:
    """Pass on the answer's head and that many bytes of its body, then close the connection."""

    at: int = 0


@dataclass(frozen=True, slots=True)
class SwallowAnswer:
    """Let the server carry out the request, then close the connection without a word of its answer."""


@dataclass(frozen=True, slots=True)
class Stall:
    """Never pass the request on and never answer, until the client goes away."""


@dataclass(frozen=True, slots=True)
class StallAnswer:
    """Pass on the answer's head and that many bytes of its body, then nothing more, until the client goes."""

    at: int = 0


@dataclass(frozen=True, slots=True)
class Delay:
    """Wait before the request is passed on."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Throttle:
    """Let both bodies through at no more than this speed."""

    bytes_per_s: int


@dataclass(frozen=True, slots=True)
class Answer:
    """Answer in the server's place, which never hears of the request."""

    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()


Fault = FlipByte | CutRequest | CutAnswer | SwallowAnswer | Stall | StallAnswer | Delay | Throttle | Answer


@dataclass(frozen=True, slots=True)
class Rule:
    """A fault and the requests that it meets."""

    fault: Fault
    method: str = ""
    """A regular expression for the whole method; empty for all."""
    path: str = ""
    """A regular expression to be found in path and query, as the request line has them."""
    after: int = 0
    """How many requests that match go unharmed before the first that does not."""
    times: int | None = 1
    """How many requests are met at most; None for all that follow."""
    chance: float = 1.0
    """How likely each of them is met."""
    method_pattern: re.Pattern[str] = field(init=False, repr=False, compare=False)
    path_pattern: re.Pattern[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "method_pattern", re.compile(self.method or ".*"))
        object.__setattr__(self, "path_pattern", re.compile(self.path))

    def matches(self, method: str, path: str) -> bool:
        """Tell whether a request is one that this rule counts."""
        return bool(self.method_pattern.fullmatch(method) and self.path_pattern.search(path))


def s3_error(status: int, code: str, *, retry_after_s: int | None = None) -> Answer:
    """Return an error as S3 words it: `SlowDown` with 503, `ExpiredToken` with 400."""
    body = (
        f'<?xml version="1.0" encoding="UTF-8"?><Error><Code>{code}</Code><Message>{code}</Message></Error>'
    )
    return Answer(status, body.encode(), (("Content-Type", "application/xml"), *_retry_after(retry_after_s)))


def plain_error(status: int, *, retry_after_s: int | None = None) -> Answer:
    """Return an error without a body, as of something in between: 500, 502, 503, 429."""
    return Answer(status, b"", _retry_after(retry_after_s))


def _retry_after(seconds: int | None) -> tuple[tuple[str, str], ...]:
    return () if seconds is None else (("Retry-After", str(seconds)),)


SLOW_DOWN = s3_error(503, "SlowDown")
INTERNAL_ERROR = s3_error(500, "InternalError")
UNAVAILABLE = plain_error(503)
