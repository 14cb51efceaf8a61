"""The run as a whole: which unit is next, what is resumed, when time is up; saves after every unit."""

import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from benchmarks.arguments import Settings
from benchmarks.bench import Bench, WrongDataError
from benchmarks.floors import play_floors
from benchmarks.machine import describe_machine, digest_source, load_average
from benchmarks.measure import CommandFailedError, TimeIsUpError, adopt_orphans
from benchmarks.peers import TOOLS, Found, find_tool
from benchmarks.report import render_report
from benchmarks.results import Results, Sample, State, Unit, load_results, save_results
from benchmarks.scenarios import SCENARIOS, Scenario, scale_scenario
from benchmarks.scratch import NoSpaceError, fresh_scratch, hide_mounts
from benchmarks.stage import set_stage


@dataclass(frozen=True, slots=True)
class _Turn:
    """One unit that is to be played."""

    scenario: Scenario
    found: Found
    repetition: int

    @property
    def key(self) -> tuple[str, str, int]:
        return (self.scenario.name, self.found.tool.name, self.repetition)

    @property
    def name(self) -> str:
        return f"{self.scenario.name} {self.found.tool.name} {self.repetition + 1}"


def run_suite(settings: Settings) -> int:
    """Run what *settings* ask for, write results and page, and return 1 when a unit failed, else 0."""
    results = _begin(settings)
    if not settings.is_report_only:
        results = _run_turns(settings, results)
    report = render_report(results, settings.scale)
    if settings.doc_path is None:
        sys.stdout.write(report)
    else:
        settings.doc_path.parent.mkdir(parents=True, exist_ok=True)
        settings.doc_path.write_text(report)
        _say(f"wrote {settings.doc_path}")
    return 1 if any(unit.state == "failed" for unit in results.units) else 0


def plan_turns(settings: Settings, found: dict[str, Found]) -> list[_Turn]:
    """Return the units in playing order: every scenario once, then again; in each, the tools in turn.

    Repetitions come outermost so that a run that is cut short has something of everything, and the tool that
    begins changes with each, so that none always meets the machine in the same state. The million
    comes last: it is the longest.
    """
    turns = list(_list_turns(settings, found))
    return sorted(turns, key=lambda turn: turn.scenario.name == "million")


def _list_turns(settings: Settings, found: dict[str, Found]) -> Iterator[_Turn]:
    for repetition in range(settings.repeats):
        for whole in SCENARIOS:
            scenario = scale_scenario(whole, settings.scale)
            present = [found[name] for name in scenario.tools if name in found]
            shift = repetition % len(present) if present else 0
            for tool in present[shift:] + present[:shift]:
                is_wanted = any(settings.wants(scenario.name, step) for step in _steps_of(scenario, tool))
                if is_wanted and (repetition == 0 or tool.tool.name not in scenario.once):
                    yield _Turn(scenario, tool, repetition)


def _steps_of(scenario: Scenario, found: Found) -> list[str]:
    if found.tool.name == "floor":
        return list(scenario.floors)
    return [step for step in scenario.steps if step in found.tool.steps]


def _begin(settings: Settings) -> Results:
    """Return the results to go on from: earlier ones, when they were measured under the same settings."""
    kept = {"scale": settings.scale, "data": settings.flavour, "seed": settings.seed}
    earlier = load_results(settings.json_path)
    if earlier is not None and (
        settings.is_report_only or (not settings.is_fresh and earlier.settings == kept)
    ):
        return earlier
    if earlier is not None:
        old = settings.json_path.with_suffix(".old.json")
        os.replace(settings.json_path, old)
        _say(f"earlier results are now {old}")
    return Results(kept, describe_machine(), {})


def _run_turns(settings: Settings, results: Results) -> Results:
    adopt_orphans()
    hide_mounts()
    started = time.monotonic()
    deadline = started + settings.time_limit_s
    found: dict[str, Found] = {}
    tools: dict[str, str] = {}
    for name in (*settings.peers, "floor"):
        answer = find_tool(TOOLS[name], settings.programs.get(name))
        if isinstance(answer, Found):
            found[name] = answer
            tools[name] = answer.version
        else:
            tools[name] = f"missing: {answer.reason}"
            _say(f"{name}: {tools[name]}")
    machine = {**describe_machine(), "load before": load_average()}
    results = replace(results, tools={**results.tools, **tools}, machine=machine)
    source = digest_source()
    for turn in plan_turns(settings, found):
        earlier = [unit for unit in results.units if unit.key[:2] == turn.key[:2] and unit.state == "done"]
        if not settings.only and any(_holds_still(unit, turn, source) for unit in earlier):
            _say(f"{turn.name}: kept from an earlier run")
            continue
        left_s = deadline - time.monotonic()
        if left_s <= max((unit.seconds for unit in earlier), default=0.0):
            played = _Played("skipped", "the time limit was reached")
        else:
            played = _play(turn, settings, deadline)
        if played.state != "done" or turn.scenario.runs > 1:
            _say(f"{turn.name}: {played.state} {played.note}")
        unit = Unit(
            *turn.key, played.state, played.note, played.seconds, played.file_system, machine["date"], source,
            tuple(played.samples), tuple(played.edit_metadata),
        )  # fmt: skip
        results = results.with_unit(unit)
        save_results(results, settings.json_path)
    _say(f"took {(time.monotonic() - started) / 60:.1f} minutes; raw results in {settings.json_path}")
    return results


def _holds_still(unit: Unit, turn: _Turn, source: str) -> bool:
    """Say whether *unit* answers *turn*: the same steps, and of dataver the same source."""
    is_same_source = unit.tool != "dataver" or unit.source == source
    return unit.key == turn.key and is_same_source and unit.has_steps(_steps_of(turn.scenario, turn.found))


@dataclass(slots=True)
class _Played:
    """What became of a turn."""

    state: State
    note: str = ""
    seconds: float = 0.0
    file_system: str = ""
    samples: list[Sample] = field(default_factory=list)
    edit_metadata: list[int] = field(default_factory=list)


def _play(turn: _Turn, settings: Settings, deadline: float) -> _Played:
    """Play one unit; whatever goes wrong with a tool is a note in the result, never the end of the run."""
    scenario = turn.scenario
    started = time.monotonic()
    played = _Played("done")

    def keep(sample: Sample) -> None:
        played.samples.append(sample)
        if sample.step != "edits" and scenario.runs == 1:
            _say(f"{turn.name}: {sample.step}: {sample.cpu_s:.2f} s CPU, {sample.wall_s:.2f} s, "
                 f"{sample.memory / 1e6:.0f} MB")  # fmt: skip

    size, inodes = scenario.disk_bytes, scenario.inodes
    try:
        with fresh_scratch(settings.scratch, settings.file_system, size, inodes) as scratch:
            played.file_system = scratch.kind
            name = "data" if scenario.shape.folders else "data.bin"
            stage = set_stage(scratch.root, turn.found, name, deadline)
            if turn.found.tool.name == "floor":
                play_floors(scenario, stage, settings.flavour, settings.seed, keep)
            else:
                bench = Bench(scenario, turn.found.tool, stage, settings.flavour, settings.seed, keep,
                              edit_metadata=played.edit_metadata)  # fmt: skip
                bench.play(lambda step: settings.wants(scenario.name, step))
    except TimeIsUpError as error:
        played.state, played.note = "cut", str(error)
    except NoSpaceError as error:
        played.state, played.note = "skipped", str(error)
    except (CommandFailedError, WrongDataError) as error:
        played.state, played.note = "failed", str(error)
    played.seconds = time.monotonic() - started
    return played


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()
