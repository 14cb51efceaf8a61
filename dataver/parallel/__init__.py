"""Several things at once: the only package that starts threads and worker processes.

Results come in the order of their tasks, and at most two tasks per worker are under way, so that
memory stays bounded however long the list.
"""

from dataver.parallel.blocks import give_back_large_blocks
from dataver.parallel.buffers import Buffers
from dataver.parallel.count import worker_count
from dataver.parallel.gate import Gate
from dataver.parallel.processes import Processes, WorkerLostError
from dataver.parallel.threads import Beside, beside, threads_map_ordered

__all__ = [
    "Beside",
    "Buffers",
    "Gate",
    "Processes",
    "WorkerLostError",
    "beside",
    "give_back_large_blocks",
    "threads_map_ordered",
    "worker_count",
]
