"""Other clones: what they have goes at the next command, and what they bring back is not taken."""

from __future__ import annotations

from tests.e2e.cli import finish, start
from tests.e2e.erasure.bench import (
    FOLDER,
    MARKER,
    Case,
    other_files,
    person_files,
    said,
    survivors,
    until,
)
from tests.e2e.project import blob
from tests.servers.chaos import Chaos
from tests.servers.faults import Delay, Rule


def test_a_teammate_that_pulls_loses_it_and_the_receipt_says_so(case: Case) -> None:
    mate = case.mate()
    erasure = case.erase()
    clones = {c["clone"]: c["acknowledged"] for c in case.project.ask("purge", "verify", erasure)["clones"]}
    assert sorted(clones.values()) == [False, True]

    result = mate.run("pull")

    assert erasure in said(result)
    assert case.found(case.project, mate) == []
    clones = {c["clone"]: c["acknowledged"] for c in case.project.ask("purge", "verify", erasure)["clones"]}
    assert list(clones.values()) == [True, True]


def test_a_teammate_that_was_offline_pushes_everything_and_brings_nothing_back(case: Case) -> None:
    mate = case.mate()
    mate.write({"data/mine.txt": "mine\n", f"{FOLDER}/copy.txt": person_files(3)[f"{FOLDER}/note.txt"]})
    mate.record("data", message="Offline work")
    case.erase()

    result = mate.run("push", "--all")

    assert "erased" in said(result)
    assert case.found(case.project) == []
    mate.run("pull")
    assert [place for place in case.found(case.project, mate) if "copy.txt" not in place] == []
    assert mate.read("data/mine.txt") == "mine\n"


def test_work_that_never_met_the_record_restores_elsewhere_without_the_person(folder_case: Case) -> None:
    mate = folder_case.mate()
    mate.write({"data/mine.txt": "mine\n", f"{FOLDER}/new-name.bin": person_files(3)[f"{FOLDER}/photo.bin"]})
    mate.record("data", message="Offline work")
    folder_case.erase()
    mate.run("push")
    third = mate.clone("third")
    third.run("pull")

    assert third.read("data/mine.txt") == "mine\n"
    assert not (third.root / f"{FOLDER}/new-name.bin").exists()
    third.run("verify", "--remote")


def test_an_old_tag_whose_git_tree_knows_nothing_says_erased(case: Case) -> None:
    erasure = case.erase()
    clone = case.mate("fresh")
    clone.git("checkout", "-q", "v1")

    pulled = clone.run("pull")
    status = clone.run("status")

    assert f"erased ({erasure})" in said(pulled)
    assert "erased" in said(status)
    assert pulled.exit == 0
    assert clone.run("checkout", "--strict", expect=None).exit == 30


def test_content_that_was_erased_is_refused_when_it_is_added_again(case: Case) -> None:
    erasure = case.erase()
    name = "data/elsewhere.bin"
    case.project.write({name: person_files(2)[f"{FOLDER}/photo.bin"]})

    result = case.project.run("add", "data", expect=12)

    assert erasure in said(result)
    (case.project.root / name).unlink()
    case.project.run("add", "data")
    assert case.found() == []


def test_a_push_that_was_on_its_way_when_the_record_came_leaves_nothing(s3_case: Case, gate: Chaos) -> None:
    """The proxy holds a pack back until the record stands."""
    case = s3_case
    mate = case.mate()
    mate.write({"data/mine.txt": "mine\n", f"{FOLDER}/late.bin": MARKER + blob(7, 90_000)})
    mate.record("data", message="Late work")
    case.contents.append(MARKER + blob(7, 90_000))
    mate.run("config", "set", "--local", "remote.origin.endpoint_url", gate.url)
    gate.fail(Rule(Delay(4.0), method="PUT", path="/packs/", times=1))
    pushing = start("push", cwd=mate.root, env=mate.env)
    until(lambda: gate.count("PUT", "/packs/") > 0)

    # By its content: no version that Git has here knows it.
    late = case.tmp / "late.bin"
    late.write_bytes(MARKER + blob(7, 90_000))
    plan = case.plan("--file", str(late))["data"]["plan"]
    first = case.project.run("--json", "purge", "run", plan, expect=20).json
    finish(pushing)
    mate.run("pull")
    case.project.run("purge", "resume", str(first["data"]["erasure"]))

    assert case.found(case.project, mate) == []
    assert survivors(case.project, "v3") == other_files(3)
