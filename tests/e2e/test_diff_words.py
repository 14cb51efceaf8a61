"""`diff`: files added, removed, modified, renamed, and bytes, between any two versions."""

import pytest

from tests.e2e.cli import Json
from tests.e2e.project import Project, picture


@pytest.fixture
def versions(tracked: Project) -> Project:
    """Give a project whose tags v1 and v2 differ by one file of each kind of change."""
    tracked.write({"data/new.txt": "twelve bytes", "data/train/1.csv": "changed\n"})
    (tracked.root / "data/b.txt").unlink()
    (tracked.root / "data/big.bin").rename(tracked.root / "data/train/big.bin")
    tracked.record("data", tag="v2")
    return tracked


def _only(data: Json) -> Json:
    """Give the one target of a diff."""
    (target,) = data["targets"]
    assert isinstance(target, dict)
    return target


def _kinds(target: Json) -> dict[str, str]:
    return {change["path"]: change["change"] for change in target["changes"]}


def test_two_revisions_differ_by_these_files(versions: Project) -> None:
    assert _kinds(_only(versions.ask("diff", "v1", "v2"))) == {
        "data/new.txt": "added",
        "data/b.txt": "deleted",
        "data/train/1.csv": "modified",
        "data/train/big.bin": "renamed",
    }


def test_two_revisions_differ_by_this_many_files(versions: Project) -> None:
    target = _only(versions.ask("diff", "v1", "v2"))

    assert [target[word] for word in ("added", "deleted", "modified", "renamed")] == [1, 1, 1, 1]


def test_a_rename_names_where_the_file_was(versions: Project) -> None:
    changes = _only(versions.ask("diff", "v1", "v2"))["changes"]

    assert [change["from"] for change in changes if change["change"] == "renamed"] == ["data/big.bin"]


def test_sizes_are_in_bytes(versions: Project) -> None:
    target = _only(versions.ask("diff", "v1", "v2"))

    sizes = {change["path"]: (change["old_size"], change["size"]) for change in target["changes"]}
    assert sizes["data/train/1.csv"] == (len("1,one\n"), len("changed\n"))


def test_the_other_way_round_is_the_opposite(versions: Project) -> None:
    kinds = _kinds(_only(versions.ask("diff", "v2", "v1")))

    assert kinds == {
        "data/new.txt": "deleted",
        "data/b.txt": "added",
        "data/train/1.csv": "modified",
        "data/big.bin": "renamed",
    }


def test_without_a_revision_head_is_compared_with_the_workspace(versions: Project) -> None:
    versions.write({"data/a.txt": "workspace\n"})

    data = versions.ask("diff")

    assert (data["a"], data["b"]) == ("HEAD", "workspace")
    assert _kinds(_only(data)) == {"data/a.txt": "modified"}


def test_one_revision_is_compared_with_the_workspace(versions: Project) -> None:
    versions.write({"data/b.txt": "beta\n"})

    assert "data/b.txt" not in _kinds(_only(versions.ask("diff", "v1")))


def test_nothing_changed_gives_no_target_with_changes(versions: Project) -> None:
    assert [target for target in versions.ask("diff")["targets"] if target["changes"]] == []


def test_text_is_one_line_a_target(versions: Project) -> None:
    assert " ".join(versions.run("diff", "v1", "v2").stdout.split()).startswith("data/ +1 file")


def test_a_path_narrows_the_diff(versions: Project) -> None:
    assert set(_kinds(_only(versions.ask("diff", "v1", "v2", "--", "data/train")))) <= {
        "data/train/1.csv",
        "data/train/big.bin",
    }


def test_a_path_needs_no_dashes_where_it_is_no_revision(versions: Project) -> None:
    kinds = _kinds(_only(versions.ask("diff", "v1", "v2", "data/new.txt")))

    assert kinds == {"data/new.txt": "added"}


def test_name_only_prints_the_paths_alone(versions: Project) -> None:
    lines = versions.run("diff", "v1", "v2", "--name-only").stdout.splitlines()

    assert {"data/new.txt", "data/b.txt", "data/train/1.csv", "data/train/big.bin"} <= set(lines)
    assert set(lines) <= {
        "data/new.txt",
        "data/b.txt",
        "data/train/1.csv",
        "data/train/big.bin",
        "data/big.bin",
    }


def test_dirs_tells_what_changed_below_each_folder(versions: Project) -> None:
    dirs = _only(versions.ask("diff", "--dirs", "v1", "v2"))["dirs"]

    assert "data/train" in {entry["path"].rstrip("/") for entry in dirs}
    assert "data/test" not in {entry["path"].rstrip("/") for entry in dirs}


def test_md_prints_a_table_for_a_review(versions: Project) -> None:
    text = versions.run("diff", "--md", "v1", "v2").stdout

    assert any(line.startswith("|") and "---" in line for line in text.splitlines())
    assert "data" in text


def test_exit_code_is_1_where_something_differs(versions: Project) -> None:
    versions.run("diff", "--exit-code", "v1", "v2", expect=1)


def test_exit_code_is_0_where_nothing_differs(versions: Project) -> None:
    versions.run("diff", "--exit-code", "v2", "v2", expect=0)


def test_an_unknown_revision_is_an_error(versions: Project) -> None:
    assert "v9" in versions.run("diff", "v1", "v9", expect=2).stderr


def test_a_word_that_is_both_a_revision_and_a_path_is_an_error(versions: Project) -> None:
    versions.git("branch", "data")

    assert "--" in versions.run("diff", "data", expect=2).stderr


def test_dashes_make_an_ambiguous_word_a_path(versions: Project) -> None:
    versions.git("branch", "data")
    versions.write({"data/a.txt": "workspace\n"})

    assert _kinds(_only(versions.ask("diff", "--", "data"))) == {"data/a.txt": "modified"}


def test_a_diff_of_two_revisions_needs_no_workspace(versions: Project) -> None:
    before = _only(versions.ask("diff", "v1", "v2"))["changes"]
    for path in (versions.root / "data").rglob("*"):
        if path.is_file():
            path.unlink()

    assert _only(versions.ask("diff", "v1", "v2"))["changes"] == before


def test_a_diff_changes_nothing_in_the_workspace(versions: Project) -> None:
    before = picture(versions.root / "data")

    versions.run("diff", "v1")

    assert picture(versions.root / "data") == before


def test_a_pointer_that_appeared_is_all_added(tracked: Project) -> None:
    tracked.write({"more/x.txt": "x\n"})
    tracked.record("more", tag="v2")

    assert _kinds(_only(tracked.ask("diff", "v1", "v2"))) == {"more/x.txt": "added"}


def test_a_single_file_has_a_diff(project: Project) -> None:
    project.write({"model.bin": "one\n"})
    project.record("model.bin", tag="v1")
    project.write({"model.bin": "two two\n"})

    assert _kinds(_only(project.ask("diff", "v1"))) == {"model.bin": "modified"}


def test_changes_of_content_have_old_and_new_ids(versions: Project) -> None:
    changes = {change["path"]: change for change in _only(versions.ask("diff", "v1", "v2"))["changes"]}

    assert changes["data/train/1.csv"]["old_oid"] != changes["data/train/1.csv"]["new_oid"]
    assert changes["data/train/1.csv"]["new_oid"] == versions.oid("data/train/1.csv")
