"""What was promised of remotes, beside what was measured on one."""

import math
from collections.abc import Callable, Iterator, Sequence
from operator import attrgetter
from statistics import median

from benchmarks.remote_page import Case, Figure
from benchmarks.scenarios import MIB, size_text
from benchmarks.targets import Verdict

_PACK = 32 * MIB
_MEMORY = 256 * MIB
_CLIENTS = ("boto3", "obstore")
Measure = Callable[[Figure], float]


_cpu: Measure = attrgetter("cpu_s")
_wall: Measure = attrgetter("wall_s")
_requests: Measure = attrgetter("requests")
_moved: Measure = attrgetter("moved")
_peak: Measure = attrgetter("peak")


class _Medians:
    """The middle of the runs of each step."""

    def __init__(self, figures: Sequence[Figure]) -> None:
        self._figures = figures

    def of(self, case: str, tool: str, step: str, measure: Measure) -> float | None:
        found = [measure(f) for f in self._figures if (f.case, f.tool, f.step) == (case, tool, step)]
        return median(found) if found else None


def judge(cases: Sequence[Case], figures: Sequence[Figure]) -> list[Verdict]:
    """Return every target with its verdict; *cases* as they were measured."""
    medians = _Medians(figures)
    found: list[Verdict] = []
    for case in cases:
        if case.name in ("small", "medium"):
            found += _files(case, medians)
    found += _nothing_new(medians)
    found += _one_of_many(medians)
    found += _large(medians)
    return found


def _files(case: Case, medians: _Medians) -> Iterator[Verdict]:
    name = f"{case.shape.files:,} x {size_text(case.shape.size)}"
    # Data in packs that are full, and one of trees.
    packs = math.ceil(case.shape.files * case.shape.size / _PACK) + 1
    most = 3 * packs + 12
    for step in ("push", "pull"):
        count = medians.of(case.name, "dataver", step, _requests)
        yield _count(f"{name}: {step}, requests", f"3 a pack and 12 ({most})", most, count)
        for words, measure, share in (("CPU", _cpu, 6), ("wall", _wall, 8 if step == "push" else 6)):
            own = medians.of(case.name, "dataver", step, measure)
            theirs = medians.of(case.name, "dvc", step, measure)
            ratio = own / theirs if own is not None and theirs else None
            text = "" if not ratio else f"1/{1 / ratio:.1f} ({own:.2f} s to {theirs:.2f} s)"
            yield Verdict(f"{name}: {step}, {words}", f"1/{share} of DVC's", 1 / share, ratio, text)


def _nothing_new(medians: _Medians) -> Iterator[Verdict]:
    for step, words in (
        ("push-nothing", "push"),
        ("pull-nothing", "pull"),
        ("status-remote", "status against the remote"),
    ):
        count = medians.of("small", "dataver", step, _requests)
        yield _count(f"nothing new: {words}, requests", "6", 6, count)
    for step, words in (("push-nothing", "push"), ("status-remote", "status against the remote")):
        used = medians.of("small", "dataver", step, _cpu)
        text = "" if used is None else f"{used * 1000:.0f} ms"
        yield Verdict(f"nothing new: {words}, CPU", "300 ms", 0.3, used, text)


def _one_of_many(medians: _Medians) -> Iterator[Verdict]:
    for step, words, most in (
        ("fetch-one", "in a clone that has fetched before", 6),
        ("fetch-one-fresh", "in a fresh clone", 14),
    ):
        what = f"one file of 100,000, {words}"
        yield _count(f"{what}, requests", str(most), most, medians.of("many", "dataver", step, _requests))
        moved = medians.of("many", "dataver", step, _moved)
        yield Verdict(f"{what}, bytes", "1 MiB", MIB, moved, "" if moved is None else size_text(moved))


def _large(medians: _Medians) -> Iterator[Verdict]:
    for step in ("push", "pull"):
        for words, measure in (("CPU", _cpu), ("wall", _wall)):
            own = medians.of("one", "dataver", step, measure)
            bare = {tool: medians.of("one", tool, step, measure) for tool in _CLIENTS}
            best = min(((used, tool) for tool, used in bare.items() if used), default=None)
            ratio = own / best[0] if own is not None and best else None
            text = "" if not ratio or not best else f"{ratio:.2f} times {best[1]}'s"
            yield Verdict(f"one file: {step}, {words}", "1.3 times the best bare client's", 1.3, ratio, text)
        peak = medians.of("one", "dataver", step, _peak)
        text = "" if peak is None else size_text(peak)
        yield Verdict(f"one file: {step}, memory", size_text(_MEMORY), _MEMORY, peak, text)
    for step, words in (("push-changed", "push"), ("pull-changed", "pull")):
        moved = medians.of("one", "dataver", step, _moved)
        what = f"one file: {words} of a version with 1 MiB changed, bytes"
        yield Verdict(what, "8 MiB", 8 * MIB, moved, "" if moved is None else size_text(moved))


def _count(what: str, limit_text: str, limit: int, measured: float | None) -> Verdict:
    return Verdict(what, limit_text, limit, measured, "" if measured is None else f"{measured:.0f}")
