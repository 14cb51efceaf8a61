"""Data, raw results and verdicts of the benchmark suite, without running anything."""

import dataclasses
import sys
import zlib
from pathlib import Path

import pytest

from benchmarks.arguments import parse_arguments
from benchmarks.data import FLAVOURS, Flavour, Shape, edit_file, prove, write_data
from benchmarks.peers import TOOLS, Found
from benchmarks.results import Results, Sample, Unit, load_results, save_results
from benchmarks.runner import plan_turns
from benchmarks.targets import Verdict, judge

SHAPE = Shape(folders=2, per_folder=3, size=5000)


def sample(step: str, cpu_s: float) -> Sample:
    return Sample(step, cpu_s, 0.0, cpu_s, 0.0, 1 << 20, 0)


def unit(tool: str, *samples: Sample, scenario: str = "small", source: str = "s") -> Unit:
    return Unit(scenario, tool, 0, "done", "", 1.0, "ext4", "now", source, samples)


def verdict_of(results: Results, what: str) -> Verdict:
    return next(verdict for verdict in judge(results) if verdict.what.startswith(what))


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_one_seed_gives_the_same_data_twice(tmp_path: Path, flavour: Flavour) -> None:
    write_data(tmp_path / "a", SHAPE, flavour, seed=1)
    write_data(tmp_path / "b", SHAPE, flavour, seed=1)

    assert prove(tmp_path / "a") == prove(tmp_path / "b")


def test_another_seed_gives_other_data(tmp_path: Path) -> None:
    write_data(tmp_path / "a", SHAPE, "random", seed=1)
    write_data(tmp_path / "b", SHAPE, "random", seed=2)

    assert prove(tmp_path / "a").digest != prove(tmp_path / "b").digest


def test_text_compresses_and_random_bytes_do_not(tmp_path: Path) -> None:
    shape = Shape(folders=0, per_folder=0, size=100_000)
    for flavour in FLAVOURS:
        write_data(tmp_path / flavour, shape, flavour, seed=1)

    sizes = {flavour: len(zlib.compress((tmp_path / flavour).read_bytes())) for flavour in FLAVOURS}

    assert sizes["text"] < 60_000 < 100_000 <= sizes["random"]


def test_an_edit_changes_one_file_and_no_size(tmp_path: Path) -> None:
    write_data(tmp_path / "data", SHAPE, "random", seed=1)
    before = {path: path.read_bytes() for path in (tmp_path / "data").rglob("*.bin")}

    edited = edit_file(tmp_path / "data", SHAPE, seed=1, edit=0)

    changed = [path for path, old in before.items() if path.read_bytes() != old]
    assert (changed, edited.stat().st_size) == ([edited], SHAPE.size)


def test_results_come_back_from_their_file_as_they_were(tmp_path: Path) -> None:
    results = Results({"scale": 1.0}, {"date": "today"}, {"dvc": "3"}, (unit("dvc", sample("add", 2.0)),))

    save_results(results, tmp_path / "raw.json")

    assert load_results(tmp_path / "raw.json") == results


def test_measuring_one_step_again_keeps_the_others_of_its_unit() -> None:
    first = Results({}, {}, {}, (unit("dataver", sample("add", 2.0), sample("push", 3.0)),))

    again = first.with_unit(unit("dataver", sample("add", 1.0)))

    assert {kept.step: kept.cpu_s for kept in again.units[0].samples} == {"add": 1.0, "push": 3.0}


def test_figures_of_another_source_are_not_kept() -> None:
    first = Results({}, {}, {}, (unit("dataver", sample("push", 3.0), source="old"),))

    again = first.with_unit(unit("dataver", sample("add", 1.0), source="new"))

    assert [kept.step for kept in again.units[0].samples] == ["add"]


def test_a_target_within_its_limit_is_met() -> None:
    results = Results({}, {}, {}, (unit("dataver", sample("add", 1.0)), unit("dvc", sample("add", 8.0))))

    assert verdict_of(results, "small files: add, CPU").text == "met"


def test_a_missed_target_says_by_how_much() -> None:
    results = Results({}, {}, {}, (unit("dataver", sample("add", 2.0)), unit("dvc", sample("add", 8.0))))

    assert verdict_of(results, "small files: add, CPU").text == "**missed**, 2.00 times the limit"


def test_a_target_whose_peer_was_not_measured_is_neither_met_nor_missed() -> None:
    results = Results({}, {}, {}, (unit("dataver", sample("add", 2.0)),))

    assert verdict_of(results, "small files: add, CPU").text == "not measured"


def test_the_tail_of_the_edits_is_judged_beside_their_middle() -> None:
    edits = (*[100 << 10] * 95, *[400 << 10] * 5)
    million = dataclasses.replace(unit("dataver", scenario="million"), edit_metadata=edits)

    verdicts = [v.text for v in judge(Results({}, {}, {}, (million,))) if "metadata" in v.what]

    assert verdicts == ["met", "**missed**, 1.33 times the limit"]


def test_tools_take_turns_and_another_one_begins_each_repetition() -> None:
    settings = parse_arguments(["--only", "small", "--repeats", "2"])
    found = {name: Found(tool, sys.executable, "1") for name, tool in TOOLS.items()}

    turns = [(turn.repetition, turn.found.tool.name) for turn in plan_turns(settings, found)]

    first = [(0, "dataver"), (0, "dvc"), (0, "git-lfs"), (0, "floor")]
    assert turns == [*first, (1, "dvc"), (1, "floor"), (1, "dataver")]
