"""Memory for whole packs is used again, never lent twice at a time, and never while somebody reads it."""

from __future__ import annotations

import threading

from dataver.parallel import Buffers


def test_a_buffer_is_used_again() -> None:
    buffers = Buffers(1)
    first = buffers.take()
    first[:] = b"x" * 100
    buffers.give(memoryview(first)[:50])

    assert buffers.take() is first


def test_two_at_a_time_are_two_buffers_and_a_third_waits() -> None:
    buffers = Buffers(2)
    one, other = buffers.take(), buffers.take()
    assert one is not other
    taken: list[bytearray] = []
    waiting = threading.Thread(target=lambda: taken.append(buffers.take()))
    waiting.start()
    waiting.join(0.05)
    assert not taken

    buffers.give(memoryview(other))

    waiting.join(10)
    assert taken[0] is other


def test_a_buffer_that_a_try_still_reads_is_not_lent_again() -> None:
    """A try that was given up may go on: what it sends must stay what it was."""
    buffers = Buffers(1)
    memory = buffers.take()
    memory[:] = b"the pack"
    sent = memoryview(memory)
    late = memoryview(sent)[4:]

    buffers.give(sent)

    assert buffers.take() is not memory
    assert bytes(late) == b"pack"


def test_a_buffer_of_which_a_part_is_read_is_not_lent_again() -> None:
    buffers = Buffers(1)
    memory = buffers.take()
    memory[:] = b"the pack"
    late = memoryview(memory)

    buffers.give(memoryview(memory)[:3])

    assert buffers.take() is not memory
    assert bytes(late) == b"the pack"
