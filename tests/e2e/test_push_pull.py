"""`push`, `fetch`, `pull` on a folder: which versions go, what is narrowed, what nothing touches."""

import shutil

import pytest

from tests.e2e.project import Project, blob, listing, picture, publish, size_below


def _pulled(project: Project, name: str = "other", *args: str) -> Project:
    other = project.clone(name, *args)
    other.run("pull")
    return other


def test_a_fresh_clone_gets_everything(published: Project) -> None:
    assert picture(_pulled(published).root / "data") == picture(published.root / "data")


def test_a_large_file_arrives_as_it_was(project: Project) -> None:
    project.write({"model.bin": blob(7, 20 << 20)})
    project.record("model.bin")
    publish(project)

    assert (_pulled(project).root / "model.bin").read_bytes() == blob(7, 20 << 20)


def test_a_push_with_nothing_new_sends_nothing(published: Project) -> None:
    data = published.ask("push")

    assert (data["objects"], data["packs"]) == (0, 0)


def test_a_pull_with_nothing_new_receives_nothing(published: Project) -> None:
    other = _pulled(published)

    data = other.ask("pull")

    assert (data["fetch"]["objects"], data["fetch"]["packs"]) == (0, 0)


def test_push_sends_what_head_index_and_workspace_name(published: Project) -> None:
    for number, stage in ((1, "commit"), (2, "index"), (3, "workspace")):
        published.write({"data/a.txt": f"version {number}\n"})
        published.run("add", "data", *(["--no-stage"] if stage == "workspace" else []))
        if stage == "commit":
            published.commit(tag="committed")
    pointer = published.read("data.dv")
    published.run("push")

    other = published.clone("other")
    other.write({"data.dv": pointer})
    other.run("pull")

    assert other.read("data/a.txt") == "version 3\n"
    other.git("checkout", "-q", "data.dv")
    other.run("pull")
    assert other.read("data/a.txt") == "version 1\n"


@pytest.fixture
def three(tracked: Project) -> Project:
    """Give a project with the tags v1, v2, v3, of which nothing was pushed."""
    tracked.run("remote", "add", "origin", "../store")
    for number in (2, 3):
        tracked.write({"data/a.txt": f"version {number}\n"})
        tracked.record("data", tag=f"v{number}")
    return tracked


def _can_pull(project: Project, tag: str) -> bool:
    other = project.clone(f"clone-{tag}")
    other.git("switch", "-q", "--detach", tag)
    other.run("remote", "add", "again", "../store", "--default")
    return other.run("pull", expect=None).exit == 0


def test_push_without_options_sends_only_the_present_version(three: Project) -> None:
    three.run("push")

    assert [_can_pull(three, tag) for tag in ("v1", "v2", "v3")] == [False, False, True]


def test_push_refs_sends_the_versions_of_a_range(three: Project) -> None:
    three.run("push", "--refs", "v1..v2")

    assert [_can_pull(three, tag) for tag in ("v1", "v2")] == [False, True]


def test_push_all_sends_every_version_of_every_branch_and_tag(three: Project) -> None:
    three.git("switch", "-q", "-c", "side", "v1")
    three.run("checkout")
    three.write({"data/a.txt": "side\n"})
    three.record("data")
    three.git("switch", "-q", "main")

    three.run("push", "--all")

    assert [_can_pull(three, tag) for tag in ("v1", "v2", "v3")] == [True, True, True]
    other = three.clone("clone-side", "--branch", "side")
    other.run("remote", "add", "again", "../store", "--default")
    other.run("pull")
    assert other.read("data/a.txt") == "side\n"


def test_fetch_all_makes_every_version_available_without_the_remote(three: Project) -> None:
    three.run("push", "--all")
    other = three.clone("other")

    other.run("fetch", "--all")

    shutil.rmtree(three.store)
    for tag, text in (("v1", "alpha\n"), ("v2", "version 2\n"), ("v3", "version 3\n")):
        other.git("switch", "-q", "--detach", tag)
        other.run("checkout")
        assert other.read("data/a.txt") == text


def test_push_dry_run_changes_nothing_and_counts(three: Project) -> None:
    before = listing(three.store)

    data = three.ask("push", "--dry-run")

    assert data["dry_run"] is True
    assert data["files"] == 6
    assert listing(three.store) == before


def test_pull_dry_run_changes_nothing(published: Project) -> None:
    other = published.clone("other")
    before = listing(published.store)

    other.run("pull", "--dry-run")

    assert not (other.root / "data").exists()
    assert listing(published.store) == before


def test_fetch_touches_no_file_of_the_workspace(published: Project) -> None:
    other = published.clone("other")

    other.run("fetch")

    assert not (other.root / "data").exists()
    assert other.run("checkout").exit == 0


def test_a_push_of_one_path_sends_only_that(tracked: Project) -> None:
    tracked.write({"other/x.txt": "x\n"})
    tracked.record("other")
    tracked.run("remote", "add", "origin", "../store")

    assert tracked.ask("push", "other")["files"] == 1


def test_a_pull_never_overwrites_an_unsaved_change(published: Project) -> None:
    other = _pulled(published)
    published.write({"data/a.txt": "theirs\n"})
    published.record("data")
    published.run("push")
    other.write({"data/a.txt": "precious\n"})
    other.git("pull", "-q")

    result = other.run("--json", "pull", expect=6)

    assert other.read("data/a.txt") == "precious\n"
    assert set(result.failed.values()) == {"would-overwrite"}


def test_pull_force_puts_the_unsaved_change_into_the_trash(published: Project) -> None:
    other = _pulled(published)
    other.write({"data/a.txt": "precious\n"})

    other.run("pull", "--force")

    assert other.read("data/a.txt") == "alpha\n"
    assert b"precious\n" in [
        path.read_bytes() for path in (other.local / "trash").rglob("*") if path.is_file()
    ]


def test_one_file_of_many_reads_a_small_part_of_the_remote(project: Project) -> None:
    project.write({f"data/{number:04}.bin": blob(number, 2_000) for number in range(4_000)})
    project.record("data")
    publish(project)
    other = project.clone("other")

    data = other.ask("pull", "data/2000.bin")

    assert data["fetch"]["received_bytes"] < size_below(project.store) // 10
