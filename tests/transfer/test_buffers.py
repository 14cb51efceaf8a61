"""Memory for whole packs is used again, and never lent twice at a time."""

from __future__ import annotations

from dataver.transfer.buffers import Buffers


def test_a_buffer_is_used_again() -> None:
    buffers = Buffers()
    with buffers.hold(100) as first:
        first[:] = b"x" * 100

    with buffers.hold(50) as second:
        assert second == b"x" * 50


def test_two_at_a_time_are_two_buffers() -> None:
    buffers = Buffers()

    with buffers.hold(10) as one, buffers.hold(10) as other:
        one[:] = b"1" * 10
        other[:] = b"2" * 10

        assert bytes(one) == b"1" * 10


def test_a_buffer_that_is_too_small_is_replaced() -> None:
    buffers = Buffers()
    with buffers.hold(10):
        pass

    with buffers.hold(5_000_000) as large:
        assert len(large) == 5_000_000
