"""One policy of retries: how often, how long apart, and how soon nothing more is waited for."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from dataver.errors import AccessDeniedError, OfflineError
from dataver.store.memory import MemoryBucket
from dataver.transfer.patience import PatientBucket, Policy
from tests.store.faults import Faulty, MovedClock

KEY = "packs/a"
POLICY = Policy()


class Line:
    """A bucket behind patience, and what goes wrong on the way to it."""

    def __init__(self, chance: Callable[[float, float], float] = max) -> None:
        self.inner = Faulty(MemoryBucket())
        self.clock = MovedClock()
        self.bucket = PatientBucket(self.inner, self.clock, chance=chance)
        self.bucket.put(KEY, b"data")
        self.inner.log.clear()

    def fails(self, error: Exception, times: int = 1_000) -> None:
        """Let the next *times* requests end with *error*."""
        left = [times]

        def fault(operation: str, key: str) -> None:
            if left[0]:
                left[0] -= 1
                raise error

        self.inner.before = fault

    @property
    def tries(self) -> int:
        return len(self.inner.log)


@pytest.mark.parametrize(
    ("error", "tries"),
    [
        (OfflineError("x", "it broke"), POLICY.tries),
        (OfflineError("x", "no answer", is_late=True), POLICY.tries_late),
        (OfflineError("x", "too busy", is_busy=True), POLICY.tries_busy),
    ],
)
def test_a_request_is_tried_a_bounded_number_of_times(error: OfflineError, tries: int) -> None:
    line = Line()
    line.fails(error)

    with pytest.raises(OfflineError):
        line.bucket.get(KEY)

    assert line.tries == tries


def test_what_patience_does_not_mend_is_not_tried_again() -> None:
    line = Line()
    line.fails(AccessDeniedError("read", KEY))

    with pytest.raises(AccessDeniedError):
        line.bucket.get(KEY)

    assert line.tries == 1


def test_a_pause_that_is_asked_for_is_kept() -> None:
    line = Line(chance=min)
    line.fails(OfflineError("x", "busy", is_busy=True, retry_after_s=7.0), times=1)

    assert line.bucket.get(KEY) == b"data"
    assert line.clock.slept == 7.0


def test_what_cleans_up_after_a_request_that_was_given_up_has_one_try() -> None:
    line = Line()
    line.fails(OfflineError("x", "it broke"))
    with pytest.raises(OfflineError):
        line.bucket.get(KEY)
    line.inner.log.clear()

    with pytest.raises(OfflineError):
        line.bucket.delete([KEY])

    assert line.tries == 1


@pytest.mark.parametrize("passed", ["a success", "a minute"])
def test_after_a_request_was_given_up_patience_comes_back_with(passed: str) -> None:
    line = Line()
    line.fails(OfflineError("x", "it broke"), times=POLICY.tries)
    with pytest.raises(OfflineError):
        line.bucket.get(KEY)
    if passed == "a success":
        line.bucket.get(KEY)
    else:
        line.clock.sleep(60.0)
    line.fails(OfflineError("x", "it broke"), times=1)

    assert line.bucket.get(KEY) == b"data"


def test_a_create_whose_answer_was_lost_has_won() -> None:
    line = Line()
    lost = [True]

    def lose(operation: str, key: str) -> None:
        if operation == "put_new" and lost.pop():
            lost.append(False)
            raise OfflineError("x", "it broke")

    line.inner.after = lose

    assert line.bucket.put_new("journal/1", b"mine")
