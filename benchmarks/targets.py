"""What was promised and what was measured: every target is one number that must not exceed another."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from statistics import median, quantiles

from benchmarks.results import Results, Sample, select_samples
from benchmarks.scenarios import KIB, MIB, STEP_TITLES, size_text

Measure = Callable[[Sample], float]

_PEER = "dvc"
_SHARES_OF_DVC = {
    "add": 8,
    "status-clean": 7,
    "add-one": 6,
    "push": 8,
    "push-nothing": 15,
    "pull-nothing": 15,
    "checkout": 4,
    "pull": 8,
    "diff": 15,
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """One target beside what was measured; None where a figure it needs is not there."""

    what: str
    limit_text: str
    limit: float | None
    measured: float | None
    measured_text: str

    @property
    def text(self) -> str:
        """Say met, or missed by how much."""
        if self.measured is None or self.limit is None:
            return "not measured"
        if self.measured <= self.limit:
            return "met"
        return f"**missed**, {self.measured / self.limit:.2f} times the limit"


def cpu(sample: Sample) -> float:
    """Take CPU seconds."""
    return sample.cpu_s


def wall(sample: Sample) -> float:
    """Take wall seconds."""
    return sample.wall_s


def synced(sample: Sample) -> float:
    """Take wall seconds until the data is on the disk."""
    return sample.synced_s


@dataclass(frozen=True, slots=True)
class Figures:
    """Medians over the repetitions of one set of results."""

    results: Results

    def median(self, scenario: str, tool: str, step: str, measure: Measure = cpu) -> float | None:
        """Return the median of *measure* over a step's samples, None when there are none."""
        samples = select_samples(self.results.units, scenario, tool, step)
        return median(map(measure, samples)) if samples else None

    def peak(self, scenario: str, tool: str, step: str) -> float | None:
        """Return the largest memory of a step's samples."""
        samples = select_samples(self.results.units, scenario, tool, step)
        return max((float(sample.memory) for sample in samples), default=None)

    def sent(self, scenario: str, tool: str, step: str) -> float | None:
        """Return the median of bytes that a push added to the remote."""
        samples = select_samples(self.results.units, scenario, tool, step)
        sent = [sample.sent for sample in samples if sample.sent is not None]
        return float(median(sent)) if sent else None

    def edit_metadata(self, scenario: str) -> list[int]:
        """Return the bytes of new metadata of every single edit."""
        units = (unit for unit in self.results.units if unit.scenario == scenario)
        return [size for unit in units for size in unit.edit_metadata]


def judge(results: Results) -> list[Verdict]:
    """Return every target with its verdict, in the order of the table."""
    figures = Figures(results)
    return [
        *_shares_of_dvc(figures),
        *_against_plain_tools(figures),
        *_absolute(figures),
        *_start_up(figures),
    ]


def _shares_of_dvc(figures: Figures) -> Iterator[Verdict]:
    for step, share in _SHARES_OF_DVC.items():
        own, theirs = figures.median("small", "dataver", step), figures.median("small", _PEER, step)
        ratio = _divide(own, theirs)
        text = "" if ratio is None else f"1/{1 / ratio:.1f} ({own:.2f} s to {theirs:.2f} s)"
        yield Verdict(f"small files: {STEP_TITLES[step]}, CPU", f"1/{share} of DVC's", 1 / share, ratio, text)


def _against_plain_tools(figures: Figures) -> Iterator[Verdict]:
    start_up = figures.median("startup", "dataver", "status-small")
    status = figures.median("small", "dataver", "status-clean")
    if status is not None and start_up is not None:
        beyond = _divide(max(status - start_up, 0.0), figures.median("small", "floor", "lstat"))
    else:
        beyond = None
    yield Verdict(
        "small files: status, nothing changed, CPU beyond start-up",
        "2.5 times bare lstat",
        2.5,
        beyond,
        _times(beyond),
    )
    for scenario, step, measure, limit, words in (
        ("small", "add", synced, 1.5, "`cp -r` and sync"),
        ("small", "checkout", wall, 1.2, "`cp -r`"),
        ("big", "add", synced, 1.2, "`cp` and sync"),
        ("big", "checkout", synced, 1.2, "`cp` and sync"),
    ):
        copy = figures.median(scenario, "floor", "cp", measure)
        ratio = _divide(figures.median(scenario, "dataver", step, measure), copy)
        name = {"small": "small files", "big": "2 GiB file"}[scenario]
        yield Verdict(f"{name}: {step}, wall", f"{limit} times {words}", limit, ratio, _times(ratio))


def _absolute(figures: Figures) -> Iterator[Verdict]:
    sent = figures.sent("big", "dataver", "push-one")
    what = "2 GiB file: push of a version with 1 MiB changed in the middle"
    yield Verdict(what, "8 MiB sent", 8 * MIB, sent, _size(sent))
    sizes = figures.edit_metadata("million")
    middle = float(median(sizes)) if sizes else None
    high = quantiles(sizes, n=100, method="inclusive")[98] if len(sizes) > 1 else None
    edits = f"million files: new metadata of one edit, {len(sizes)} random edits"
    yield Verdict(f"{edits}, median", "200 KiB", 200 * KIB, middle, _size(middle))
    yield Verdict(f"{edits}, 99th percentile", "300 KiB", 300 * KIB, high, _size(high))
    status = figures.median("million", "dataver", "status-clean")
    text = "" if status is None else f"{status:.2f} s"
    yield Verdict("million files: status, nothing changed, CPU", "4 s", 4.0, status, text)
    peaks = [
        (peak, step)
        for step in STEP_TITLES
        if (peak := figures.peak("million", "dataver", step)) is not None
    ]  # fmt: skip
    peak, step = max(peaks, default=(None, ""))
    text = "" if peak is None else f"{_size(peak)} ({STEP_TITLES[step]})"
    yield Verdict("million files: peak memory of any command", "400 MiB", 400 * MIB, peak, text)


def _start_up(figures: Figures) -> Iterator[Verdict]:
    python = figures.median("startup", "floor", "python")
    slow = max(0.1, 10 * python) if python is not None else 0.1
    for step, limit in (
        ("help", slow),
        ("version", slow),
        ("status-small", slow),
        ("porcelain", 0.06),
        ("textconv", 0.06),
    ):
        own = figures.median("startup", "dataver", step)
        text = "" if own is None else f"{own * 1000:.0f} ms"
        yield Verdict(f"start-up: {STEP_TITLES[step]}, CPU", f"{limit * 1000:.0f} ms", limit, own, text)


def _divide(upper: float | None, lower: float | None) -> float | None:
    return upper / lower if upper is not None and lower else None


def _times(ratio: float | None) -> str:
    return "" if ratio is None else f"{ratio:.2f} times"


def _size(size: float | None) -> str:
    return "" if size is None else size_text(size)
