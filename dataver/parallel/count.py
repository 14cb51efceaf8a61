"""How many workers there are, and how much they have in hand."""

from __future__ import annotations

import os

TASKS_PER_WORKER = 2
"""One under way and one waiting, so that a worker never waits for its next task."""

STOP_S = 1.0
"""How long workers may take to end; with what else is to do, Ctrl-C returns within 2 seconds."""

_MOST_WORKERS = 64


def worker_count(jobs: int | None = None) -> int:
    """Return *jobs*, or without a wish the number of processors that this process may use."""
    if jobs is not None:
        return max(1, min(jobs, _MOST_WORKERS))
    if hasattr(os, "sched_getaffinity"):
        return max(1, min(len(os.sched_getaffinity(0)), _MOST_WORKERS))
    return max(1, min(os.cpu_count() or 1, _MOST_WORKERS))
