"""The options of `python -m benchmarks`: the only module that reads the command line."""

import argparse
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.data import FLAVOURS, Flavour
from benchmarks.scenarios import SCENARIOS, STEP_TITLES
from benchmarks.scratch import KINDS, Kind

_TOP = Path(__file__).resolve().parent.parent
_QUICK_SCALE = 0.003
_STANDARD_MINUTES = 25.0
_MILLION_MINUTES = 30.0


@dataclass(frozen=True, slots=True)
class Settings:
    """What to run and where to write; times in seconds."""

    scale: float
    only: tuple[str, ...]
    peers: tuple[str, ...]
    repeats: int
    flavour: Flavour
    seed: int
    has_million: bool
    scratch: Path
    file_system: Kind | None
    time_limit_s: float
    programs: dict[str, str]
    """Paths given for tools, by name."""
    json_path: Path
    doc_path: Path | None
    is_fresh: bool
    is_report_only: bool

    def wants(self, scenario: str, step: str) -> bool:
        """Say whether --only lets a step of a scenario through."""
        if (
            scenario == "million"
            and not self.has_million
            and not any("million" in word for word in self.only)
        ):
            return False
        return not self.only or any(word in (scenario, step, f"{scenario}/{step}") for word in self.only)


def parse_arguments(argv: Sequence[str]) -> Settings:
    """Read the options; ends the program on a wrong one."""
    parser = _build_parser()
    given = parser.parse_args(argv)
    only = tuple(word for part in given.only for word in part.split(",") if word)
    names = {scenario.name for scenario in SCENARIOS}
    for word in only:
        scenario, _, step = word.partition("/")
        if scenario not in names | set(STEP_TITLES) or (step and step not in STEP_TITLES):
            parser.error(f"--only {word}: no such scenario or step; scenarios: {', '.join(sorted(names))}; "
                         f"steps: {', '.join(STEP_TITLES)}")  # fmt: skip
    has_million = given.million or any("million" in word for word in only)
    minutes = given.time_limit
    if minutes is None:
        minutes = _STANDARD_MINUTES + (_MILLION_MINUTES if has_million else 0)
    json_path = given.json or _TOP / "benchmarks" / "results" / (
        "quick.json" if given.quick else "results.json"
    )
    doc_path = given.doc or (None if given.quick or given.no_doc else _TOP / "docs" / "benchmarks.md")
    return Settings(
        scale=given.scale if given.scale is not None else _QUICK_SCALE if given.quick else 1.0,
        only=only,
        peers=tuple(name for name in given.peers.split(",") if name),
        repeats=given.repeats or (1 if given.quick else 3),
        flavour=given.data,
        seed=given.seed,
        has_million=has_million,
        scratch=given.scratch,
        file_system=None if given.fs == "auto" else given.fs,
        time_limit_s=minutes * 60 if minutes > 0 else float("inf"),
        programs={name: path for name, path in (("dataver", given.dataver), ("dvc", given.dvc)) if path},
        json_path=json_path,
        doc_path=doc_path,
        is_fresh=given.fresh or given.quick,
        is_report_only=given.report,
    )


def _build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measure dataver beside DVC, git-lfs, cp, git status and bare lstat; write "
        "docs/benchmarks.md. A run that was broken off goes on where it stopped.",
    )
    add = parser.add_argument
    add("--scale", type=float, metavar="F", help="multiply the number of files, or the one file's size, by F")
    add(
        "--only",
        action="append",
        default=[],
        metavar="WORD",
        help="scenario, step or both with a slash",
    )
    add("--peers", default="dataver,dvc,git-lfs", metavar="NAMES", help="tools to run (default: %(default)s)")
    add("--repeats", type=int, metavar="N", help="repetitions (default 3; peers without a target 1)")
    add("--quick", action="store_true", help="tiny sizes, one repetition, no document: for CI")
    add("--million", action="store_true", help="the million files too (dataver alone)")
    add("--data", choices=FLAVOURS, default="random", help="random bytes do not compress; text does")
    add("--seed", type=int, default=1, help="another seed, other data (default: %(default)s)")
    add("--json", type=Path, metavar="FILE", help="raw results (default: benchmarks/results/results.json)")
    add("--doc", type=Path, metavar="FILE", help="where the table goes (default: docs/benchmarks.md)")
    add("--no-doc", action="store_true", help="write no document")
    add("--report", action="store_true", help="measure nothing: write the document from the raw results")
    add("--fresh", action="store_true", help="forget earlier results instead of going on from them")
    add("--time-limit", type=float, metavar="MIN", help="0 is none (default: 25, with the million 55)")
    add("--scratch", type=Path, metavar="DIR", default=Path(tempfile.gettempdir()), help="place for data")
    add("--fs", choices=("auto", *KINDS), default="auto", help="fresh ext4 or tmpfs (root), or a folder")
    add("--dataver", metavar="PATH", help="the dataver program (default: beside this Python, or in PATH)")
    add("--dvc", metavar="PATH", help="the DVC program (default: beside this Python, or in PATH)")
    return parser
