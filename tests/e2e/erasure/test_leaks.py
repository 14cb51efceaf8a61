"""Places where something of a person could hide, and other people's data that could go with it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.e2e.cli import Json, Result, finish, start
from tests.e2e.erasure.bench import (
    FOLDER,
    LARGE,
    MARKER,
    PERSON,
    SELECTED,
    Case,
    folder_store,
    other_files,
    pointers_of,
    said,
    survivors,
)
from tests.e2e.project import Project, blob, new_project
from tests.erasure.nowhere import nowhere
from tests.erasure.signing import new_key


def _secret(number: int) -> bytes:
    return MARKER + f"more {number}\n".encode()


def _bare(tmp_path: Path, name: str = "churn", store: str = "store") -> Project:
    """Give a project without data whose remote is the folder *store*."""
    project = new_project(tmp_path / name, tmp_path / "home")
    folder_store(tmp_path, store).configure(project)
    project.git("add", ".dataver")
    project.git("commit", "-qm", "Name the remote")
    return project


def _plan(project: Project, *more: str) -> str:
    return str(project.ask("purge", "plan", *more)["plan"])


def _erase(project: Project, *more: str) -> str:
    return str(project.ask("purge", "run", _plan(project, *more))["erasure"])


# -- states of work trees and of Git --------------------------------------------------------------


def test_a_stash_a_conflict_and_an_uncommitted_pointer_are_versions_too(folder_case: Case) -> None:
    project = folder_case.project
    files = {f"{FOLDER}/stashed.txt": _secret(1)}
    project.write(files)
    project.run("add", "data")
    project.git("stash")
    project.run("checkout")
    staged = {f"{FOLDER}/staged.txt": _secret(2)}
    project.write(staged)
    project.run("add", "data")
    uncommitted = {f"{FOLDER}/uncommitted.txt": _secret(3)}
    project.write(uncommitted)
    project.run("add", "data")
    folder_case.contents += [*files.values(), *staged.values(), *uncommitted.values()]

    folder_case.erase()

    assert folder_case.found() == []
    project.git("checkout", "-q", "-f", "v3")
    project.run("checkout")
    project.git("stash", "pop")
    project.run("checkout")
    assert survivors(project, "v3") == other_files(3)


def test_a_merge_under_way_loses_both_sides(folder_case: Case) -> None:
    project = folder_case.project
    project.git("checkout", "-qb", "left")
    left: dict[str, str | bytes] = {f"{FOLDER}/note.txt": _secret(1), "data/readme.txt": "left\n"}
    right: dict[str, str | bytes] = {f"{FOLDER}/note.txt": _secret(2), "data/readme.txt": "right\n"}
    project.write(left)
    project.record("data")
    project.git("checkout", "-q", "main")
    project.run("checkout")
    project.write(right)
    project.record("data")
    project.git("merge", "left", expect=None)
    project.run("resolve", "--ours", f"{FOLDER}/note.txt", expect=None)
    folder_case.contents += [_secret(1), _secret(2)]
    assert list((project.local / "decisions").iterdir())

    folder_case.erase()

    assert folder_case.found() == []


def test_a_linked_work_tree_whose_folder_is_gone_remembers_nothing(folder_case: Case) -> None:
    project = folder_case.project
    for name in ("here", "gone"):
        project.git("worktree", "add", "-q", f"../{name}", "v2")
        project.run("checkout", cwd=folder_case.tmp / name)
    shutil.rmtree(folder_case.tmp / "gone")

    folder_case.erase()

    assert folder_case.found(project, others=[folder_case.tmp / "here"]) == []


def test_a_renamed_dataset_and_one_on_another_branch_lose_it_too(folder_case: Case) -> None:
    project = folder_case.project
    project.run("mv", "data", "moved")
    project.git("commit", "-qm", "Move")
    project.git("checkout", "-qb", "side", "v1")
    project.run("checkout")
    project.write({f"{FOLDER}/side.txt": _secret(1)})
    project.record("data")
    project.git("checkout", "-q", "main")
    project.run("checkout")
    folder_case.contents.append(_secret(1))

    plan = folder_case.plan("--shared", "erase", selected=(SELECTED, f"moved/users/{PERSON}/**"))
    project.run("purge", "run", plan["data"]["plan"])

    assert folder_case.found() == []
    assert not (project.root / f"moved/users/{PERSON}").exists()


def test_a_version_that_only_the_remote_has_loses_it_too(folder_case: Case) -> None:
    """A teammate pushed it, and nobody here fetched the branch."""
    mate = folder_case.mate()
    mate.git("checkout", "-qb", "theirs")
    mate.write({f"{FOLDER}/theirs.txt": _secret(1), f"{FOLDER}/film.bin": _secret(2) + blob(9, LARGE)})
    mate.record("data")
    mate.run("push")
    folder_case.contents += [_secret(1), _secret(2) + blob(9, LARGE)]

    folder_case.erase()
    assert folder_case.found() == []
    mate.run("pull")

    assert folder_case.found(folder_case.project, mate) == []


def test_what_lies_in_a_tree_under_any_kind_is_gone(folder_case: Case) -> None:
    project = folder_case.project
    top = project.root / FOLDER
    (top / "empty").mkdir()
    (top / "nothing.txt").write_bytes(b"")
    script = top / "run.sh"
    script.write_bytes(_secret(1))
    script.chmod(0o755)
    (top / "link").symlink_to(f"../{PERSON}/note.txt")
    Path(os.fsdecode(os.fsencode(top) + b"/caf\xe9-\xff.txt")).write_bytes(_secret(2))
    (project.root / "data/users/u2/.keep").write_bytes(b"")
    project.record("data", tag="v4")
    project.run("push")
    mate = folder_case.mate()
    folder_case.contents += [_secret(1), _secret(2)]

    folder_case.erase()
    mate.run("pull")

    assert folder_case.found(project, mate) == []
    for one in (project, mate):
        assert survivors(one, "v4") == {**other_files(3), "data/users/u2/.keep": b""}


def test_a_sparse_pattern_that_names_the_person_is_gone(folder_case: Case) -> None:
    mate = folder_case.project.clone("sparse")
    mate.run("fetch", "--all")
    mate.run("checkout", FOLDER)
    assert sorted(os.listdir(mate.root / "data/users")) == [PERSON]
    folder_case.erase()

    mate.run("pull")

    assert folder_case.found(folder_case.project, mate) == []


@pytest.mark.parametrize("link", ["hardlink", "symlink", "reflink,copy"])
def test_files_that_are_linked_into_the_cache_are_gone(folder_case: Case, link: str) -> None:
    project = folder_case.project
    project.run("config", "set", "--local", "cache.link", link)
    shutil.rmtree(project.root / "data")
    project.run("checkout")

    folder_case.erase()

    assert folder_case.found() == []
    assert survivors(project, "v3") == other_files(3)


# -- single files, and datasets that are alike ----------------------------------------------------


def test_a_single_file_is_erased_and_no_other_single_file_with_it(tmp_path: Path) -> None:
    project = _bare(tmp_path)
    project.write({"tables/p.csv": _secret(1), "tables/q.csv": "q, version 1\n"})
    project.record("tables/p.csv", "tables/q.csv", tag="v1")
    project.run("push")
    mate = project.clone("mate")
    mate.run("pull")
    mate.git("checkout", "-qb", "theirs")
    mate.write({"tables/q.csv": "q, version 2, which only the remote knows\n"})
    mate.record("tables/q.csv", tag="theirs")
    mate.run("push")

    erasure = _erase(project, "--path", "tables/p.csv")
    mate.run("pull")

    assert not (mate.root / "tables/p.csv").exists()
    assert mate.read("tables/q.csv") == "q, version 2, which only the remote knows\n"
    third = mate.clone("third")
    third.run("pull")
    assert third.read("tables/q.csv") == "q, version 2, which only the remote knows\n"
    assert project.ask("purge", "verify", erasure)["remotes"][0]["state"] == "ABSENT"


@pytest.mark.parametrize("choice", ["erase", "unlink"])
def test_a_dataset_that_is_alike_is_shared_content(tmp_path: Path, choice: str) -> None:
    project = _bare(tmp_path)
    for target in ("one", "two"):
        project.write({f"{target}/a.txt": "the same\n", f"{target}/b.txt": "stays\n"})
    project.record("one", "two")
    project.run("push")

    refused = project.run("--json", "purge", "plan", "--path", "one/a.txt", expect=10)
    chosen = project.run("--json", "purge", "plan", "--path", "one/a.txt", "--shared", choice, expect=None)

    assert "two/a.txt" in refused.text
    if choice == "erase":
        project.run("purge", "run", chosen.data["plan"])
        assert not (project.root / "two/a.txt").exists()
    else:
        if chosen.exit == 0:
            project.run("purge", "run", chosen.data["plan"])
        fresh = project.clone("fresh")
        fresh.run("pull")
        assert fresh.read("two/a.txt") == "the same\n"


def test_unlinked_content_stays_at_the_same_path_of_another_dataset(tmp_path: Path) -> None:
    project = _bare(tmp_path)
    for target in ("one", "two"):
        project.write({f"{target}/a.txt": "the same\n", f"{target}/b.txt": f"of {target}\n"})
        project.write({f"{target}/empty.txt": ""})
    project.record("one", "two")
    project.run("push")

    _erase(project, "--path", "one/a.txt", "--path", "one/empty.txt", "--shared", "unlink")

    fresh = project.clone("fresh")
    fresh.run("pull")
    for one in (project, fresh):
        assert not (one.root / "one/a.txt").exists()
        assert not (one.root / "one/empty.txt").exists()
        assert one.read("two/a.txt") == "the same\n"
        assert one.read("two/empty.txt") == ""


def test_what_is_found_in_a_range_is_erased_from_every_version(folder_case: Case) -> None:
    project = folder_case.project
    project.write({"data/readme.txt": "version 4\n"})
    project.record("data", tag="v4")
    project.run("push")

    plan = folder_case.plan("--rev", "v2..v3")
    project.run("purge", "run", plan["data"]["plan"])

    assert plan["data"]["shared"] == []
    for tag in ("v3", "v4"):
        assert not any(PERSON in path for path in survivors(project, tag))


# -- caches that are shared, trash and plans ------------------------------------------------------


def _shares_cache(project: Project, tmp_path: Path) -> None:
    project.run("config", "set", "--local", "cache.dir", str(tmp_path / "shared-cache"))


def test_two_clones_with_one_cache_are_no_strangers(folder_case: Case) -> None:
    project, mate = folder_case.project, folder_case.project.clone("mate")
    for one in (project, mate):
        _shares_cache(one, folder_case.tmp)
        one.run("pull")
    project.drop_cache()

    erasure = folder_case.erase()
    mate.run("pull")

    shared = folder_case.tmp / "shared-cache"
    assert folder_case.found(project, mate, others=[shared]) == []
    for one in (project, mate):
        assert one.ask("purge", "verify", erasure)["local"] == "ABSENT"
        assert survivors(one, "v3") == other_files(3)


def test_another_repository_in_the_same_cache_keeps_what_is_its_own(tmp_path: Path) -> None:
    projects = [_bare(tmp_path, name, f"store-{name}") for name in ("ours", "theirs")]
    for number, one in enumerate(projects):
        _shares_cache(one, tmp_path)
        one.write({"data/a.txt": "the same\n", "data/b.txt": f"of {number}\n", "data/empty.txt": ""})
        one.record("data")
        one.run("push")
    ours, theirs = projects
    selected = ("--path", "data/a.txt", "--path", "data/empty.txt")

    refused = ours.run("--json", "purge", "plan", *selected, expect=10)
    erasure = _erase(ours, *selected, "--shared", "unlink")

    assert "theirs" in refused.text
    # Nothing of ours names it any more, here or there.
    assert nowhere([tmp_path / "store-ours"], contents=[b"the same\n"]) == []
    assert not (ours.root / "data/a.txt").exists()
    assert ours.ask("purge", "verify", erasure)["local"] == "ABSENT"
    shutil.rmtree(theirs.root / "data")
    theirs.run("checkout")
    assert theirs.read("data/a.txt") == "the same\n"
    for one in (theirs, ours):
        one.run("verify")
        one.run("gc")
        one.run("gc", "--now")
    ours.run("checkout")
    assert ours.read("data/b.txt") == "of 0\n"
    ours.run("verify")


def test_neither_trash_nor_an_undone_gc_brings_it_back(folder_case: Case) -> None:
    project = folder_case.project
    project.write({f"{FOLDER}/lost.txt": _secret(1), f"{FOLDER}/lost.bin": MARKER + blob(5, 90_000)})
    project.run("add", "data")
    project.git("reset", "-q", "--hard")
    project.run("checkout")
    project.git("reflog", "expire", "--expire=now", "--all")
    project.run("gc")
    project.write({f"{FOLDER}/note.txt": _secret(2)})
    project.run("checkout", "--force")
    folder_case.contents += [_secret(1), MARKER + blob(5, 90_000)]

    folder_case.erase()
    project.run("gc", "--undo", expect=None)

    assert folder_case.found() == []


def test_a_plan_that_was_made_elsewhere_names_nobody_afterwards(folder_case: Case) -> None:
    mate = folder_case.mate()
    _plan(mate, "--path", SELECTED)
    folder_case.erase()

    mate.run("pull")

    assert folder_case.found(folder_case.project, mate) == []


# -- remotes --------------------------------------------------------------------------------------


def test_what_a_killed_push_left_is_gone(folder_case: Case) -> None:
    """Packs without a segment, segments without an entry, temp files, and a lease that looks alive."""
    project, store = folder_case.project, Path(folder_case.store.url)
    before = {path.relative_to(store) for path in store.rglob("*") if path.is_file()}
    spare = folder_case.tmp / "spare"
    shutil.copytree(store, spare)
    mate = folder_case.mate()
    mate.write({f"{FOLDER}/late.txt": _secret(1), f"{FOLDER}/late.bin": MARKER + blob(6, LARGE)})
    mate.record("data")
    mate.run("push")
    folder_case.contents += [_secret(1), MARKER + blob(6, LARGE)]
    for path in sorted(store.rglob("*")):
        inside = path.relative_to(store)
        if path.is_file() and inside not in before and inside.parts[0] not in ("packs", "segments"):
            path.unlink()
        elif path.is_file() and (spare / inside).exists():
            shutil.copy2(spare / inside, path)
    orphan = next(
        p for p in sorted((store / "packs").rglob("*")) if p.is_file() and p.relative_to(store) not in before
    )
    (orphan.parent / ".dataver-tmp-1-2-3").write_bytes(orphan.read_bytes()[:1000])
    shutil.rmtree(spare)
    late = folder_case.tmp / "late"
    for number, content in enumerate((_secret(1), MARKER + blob(6, LARGE))):
        late.with_suffix(f".{number}").write_bytes(content)
    plan = folder_case.plan("--file", str(late.with_suffix(".0")), "--file", str(late.with_suffix(".1")))

    result = project.run("purge", "run", plan["data"]["plan"], expect=None)

    assert result.exit == 0, said(result)
    assert folder_case.found() == []


def test_versions_that_a_gc_left_in_the_bucket_are_gone(s3_case: Case) -> None:
    case, project = s3_case, s3_case.project
    project.git("checkout", "-qb", "side")
    project.write({f"{FOLDER}/side.txt": _secret(1), f"{FOLDER}/side.bin": MARKER + blob(6, 90_000)})
    project.record("data")
    project.run("push")
    project.git("checkout", "-q", "main")
    project.git("branch", "-qD", "side")
    project.git("reflog", "expire", "--expire=now", "--all")
    project.run("checkout")
    project.run("gc", "--remote", "--apply", "--now", expect=None)
    project.run("gc", "--now")
    case.contents += [_secret(1), MARKER + blob(6, 90_000)]

    case.erase()

    assert case.found() == []
    assert survivors(project, "v2") == other_files(2)


# -- other people's data --------------------------------------------------------------------------


def _pictures(project: Project, tags: tuple[str, ...]) -> dict[str, dict[str, bytes]]:
    return {tag: survivors(project, tag) for tag in tags}


@pytest.mark.parametrize("is_first", [True, False])
def test_two_erasures_from_two_clones_commute_and_all_else_restores(
    folder_case: Case, is_first: bool
) -> None:
    project, mate = folder_case.project, folder_case.mate()
    pointers = pointers_of(project)
    plans = [
        (project, _plan(project, "--path", SELECTED)),
        (mate, _plan(mate, "--path", "data/users/u2/note.txt")),
    ]
    for one, plan in plans if is_first else reversed(plans):
        one.run("purge", "run", plan)
    for one in (project, mate):
        one.run("pull")

    for command in ("verify", "verify --remote", "gc --remote --apply", "push --all", "gc", "verify"):
        project.run(*command.split())
    fresh = project.clone("fresh")
    for one in (mate, fresh):
        one.run("fetch", "--all")

    expected = {}
    for version in (1, 2, 3):
        files = other_files(version)
        del files["data/users/u2/note.txt"]
        expected[f"v{version}"] = files
    for one in (project, mate, fresh):
        assert _pictures(one, ("v1", "v2", "v3")) == expected
        assert pointers_of(one) == pointers
        assert folder_case.found(one) == []


def test_pushes_while_an_erasure_runs_lose_nothing_and_bring_nothing_back(folder_case: Case) -> None:
    project = folder_case.project
    mates = [folder_case.mate(f"mate{number}") for number in range(3)]
    for number, mate in enumerate(mates):
        mate.git("checkout", "-qb", f"work{number}")
    plan = _plan(project, "--path", SELECTED)
    running = start("purge", "run", plan, cwd=project.root, env=project.env)
    for turn in range(3):
        pushing = []
        for number, mate in enumerate(mates):
            mate.write(
                {f"data/of{number}.txt": f"{turn}\n", f"data/of{number}.bin": blob(turn * 9 + number, 80_000)}
            )
            mate.run("add", "data")
            mate.commit(tag=f"t{number}{turn}")
            pushing.append(start("push", cwd=mate.root, env=mate.env))
        for child in pushing:
            assert finish(child).exit in (0, 20)
    finish(running)
    erasure = project.ask("purge", "list")["erasures"][0]["erasure"]
    project.run("purge", "resume", erasure, expect=None)
    for mate in mates:
        mate.run("push", "--all")
        mate.run("pull")
    project.run("purge", "resume", erasure)

    assert folder_case.found(project, *mates) == []
    for number, mate in enumerate(mates):
        fresh = mate.clone(f"fresh{number}")
        fresh.run("fetch", "--all")
        for turn in range(3):
            files = survivors(fresh, f"t{number}{turn}")
            assert files[f"data/of{number}.txt"] == f"{turn}\n".encode()
            assert files[f"data/of{number}.bin"] == blob(turn * 9 + number, 80_000)
        fresh.run("verify", "--remote")


def test_a_work_tree_that_was_restored_is_seen_and_swept(folder_case: Case) -> None:
    project = folder_case.project
    shutil.copytree(project.root / FOLDER, folder_case.tmp / "backup")
    erasure = folder_case.erase()
    shutil.move(folder_case.tmp / "backup", project.root / FOLDER)

    seen = project.run("--json", "purge", "verify", erasure, expect=21)
    project.run("purge", "sweep", erasure)

    assert seen.data["local"] == "PRESENT"
    assert folder_case.found() == []
    assert project.ask("purge", "verify", erasure)["local"] == "ABSENT"


# -- what is said ---------------------------------------------------------------------------------


def test_nothing_that_is_printed_afterwards_names_the_person(folder_case: Case) -> None:
    project = folder_case.project
    erasure = folder_case.erase()
    mate = folder_case.project.clone("mate")
    mate.run("pull")

    for one in (project, mate):
        for command in (
            "status",
            "checkout",
            "pull",
            "push",
            "verify",
            f"purge verify {erasure}",
            "gc",
            "log",
            "ls",
        ):
            for option in ("--debug", "-v", "--json"):
                result = one.run(option, *command.split(), expect=None)
                assert PERSON not in result.text, (command, option)
                if option == "--json":
                    assert result.json["schema"].startswith("dataver.")


# -- rows of tables -------------------------------------------------------------------------------


def _rows(*people: str, more: str = "") -> str:
    return "user,n\n" + "".join(f"{person},{n}\n" for n, person in enumerate(people)) + more


@pytest.fixture
def table(tmp_path: Path) -> Project:
    """Give a project with a table, pushed, and a signer."""
    project = _bare(tmp_path)
    project.write({"data/t.csv": _rows(PERSON, "u2", "u3"), "data/other.txt": "stays\n"})
    project.record("data", tag="v1")
    project.run("push")
    key = new_key(tmp_path, "key")
    project.run("purge", "signers", f"{key.path}.pub", "--signing-key", str(key.path))
    project.git("commit", "-qam", "Appoint")
    return project


def _plan_rows(project: Project, person: str, *more: str, expect: int | None = 0) -> Json:
    subjects = project.root.parent / "subjects"
    subjects.write_text(f"{person}\n")
    asked = ("--rows", "data/t.csv", "--key", "user", "--subject-file", str(subjects), *more)
    found = project.run("--json", "purge", "plan", *asked, expect=expect).json
    subjects.unlink()
    return found


def _run_rows(project: Project, plan: Json, expect: int | None = 0) -> Result:
    key = str(project.root.parent / "key")
    return project.run("--json", "purge", "run", plan["data"]["plan"], "--signing-key", key, expect=expect)


def test_rows_leave_a_stash_and_another_branch_too(table: Project, tmp_path: Path) -> None:
    table.git("checkout", "-qb", "side")
    table.write({"data/t.csv": _rows("u9", PERSON, more="side,1\n")})
    table.record("data", tag="side")
    table.git("checkout", "-q", "main")
    table.run("checkout")
    table.write({"data/t.csv": _rows("u8", PERSON, more="stashed,1\n")})
    table.run("add", "data")
    table.git("stash")
    table.run("checkout")
    table.run("push", "--all")

    _run_rows(table, _plan_rows(table, PERSON))

    assert nowhere([tmp_path / "store", table.root], contents=[PERSON.encode()]) == []
    table.run("fetch", "--all")
    assert survivors(table, "side")["data/t.csv"] == b"user,n\nu9,0\nside,1\n"
    table.git("checkout", "-q", "main")
    table.git("stash", "pop")
    table.run("checkout")
    assert table.read("data/t.csv") == "user,n\nu8,0\nstashed,1\n"


def test_a_table_that_also_lies_elsewhere_is_shared(table: Project, tmp_path: Path) -> None:
    table.write({"data/copy.csv": table.read("data/t.csv")})
    table.record("data", tag="v2")
    table.run("push")

    refused = _plan_rows(table, PERSON, expect=10)
    _run_rows(table, _plan_rows(table, PERSON, "--shared", "erase"))

    assert "data/copy.csv" in str(refused)
    assert nowhere([tmp_path / "store", table.root], contents=[PERSON.encode()]) == []


def test_two_plans_for_rows_of_one_table_do_not_break_the_journal(table: Project, tmp_path: Path) -> None:
    first, second = _plan_rows(table, PERSON), _plan_rows(table, "u2")
    _run_rows(table, first)

    refused = _run_rows(table, second, expect=None)
    _run_rows(table, _plan_rows(table, "u2"))

    assert refused.exit == 2
    assert "purge plan" in refused.hint
    fresh = table.clone("fresh")
    fresh.run("pull")
    assert fresh.read("data/t.csv") == "user,n\nu3,2\n"
    places = [tmp_path / "store", table.root, fresh.root]
    assert nowhere(places, contents=[PERSON.encode(), b"u2,"]) == []
