"""`log`: which commits changed data, and how; under old names, in merges, and where history is cut."""

from __future__ import annotations

import subprocess

import pytest

from dataver.errors import NoSuchPathError, UnknownRevisionError
from dataver.formats.pointer import encode_pointer
from dataver.model.guarding import LoggedTarget, LogResult
from dataver.model.tree import Entry
from dataver.ops.history_reading import Following, Reader
from dataver.ops.log import log
from dataver.ops.logging_changes import describe
from dataver.workspace.paths import PathLike
from tests.formats.samples import file
from tests.ops.merge_bench import change, pointer_to
from tests.workspace.sandbox import Sandbox


def run(
    box: Sandbox, *paths: PathLike, rev: str | None = None, limit: int | None = None, follow: bool = True
) -> LogResult:
    with box.repo() as repo:
        return log(repo, paths, rev=rev, limit=limit, follow=follow)


def commit(box: Sandbox, subject: str, files: dict[str, str | bytes | None], *targets: str) -> None:
    change(box, files)
    box.add(*(targets or ("data",)))
    box.git("commit", "-q", "-m", subject)


def subjects(result: LogResult) -> list[str]:
    return [each.subject for each in result.commits]


def newest(result: LogResult) -> LoggedTarget:
    return result.commits[0].targets[0]


# -- a whole target -------------------------------------------------------------------------------


def test_each_commit_that_changed_a_target_is_told_of_the_newest_first(box: Sandbox) -> None:
    commit(box, "One", {"data/new.txt": "new", "data/a.txt": "changed", "data/b.txt": None})
    (box.top / "code.py").write_text("pass\n")
    box.git("add", "code.py")
    box.git("commit", "-qm", "Code")

    result = run(box, "data")

    assert subjects(result) == ["One", "Change"]
    told = newest(result)
    assert (told.path, told.state, told.added, told.modified, told.deleted) == (b"data", "changed", 1, 1, 1)
    assert told.size_change == len("new") + len("changed") - len("alpha\n") - len("beta\n")
    assert [c.path for c in told.changes] == [b"data/a.txt", b"data/b.txt", b"data/new.txt"]


def test_the_commit_that_added_a_target_counts_as_the_pointer_says(box: Sandbox) -> None:
    told = newest(run(box, "data"))

    assert (told.state, told.added, told.files, told.changes) == ("added", 6, 6, ())


def test_author_and_date_stand_with_a_commit(box: Sandbox) -> None:
    (told,) = run(box, "data").commits

    assert (told.author, len(told.sha), told.is_merge) == ("Test", 40, False)
    assert told.date == box.git("log", "-1", "--format=%aI").strip()


def test_without_a_path_every_target_is_told_of(box: Sandbox) -> None:
    commit(box, "Other", {"other/x": "x"}, "other")

    assert [(c.subject, c.targets[0].path) for c in run(box).commits] == [
        ("Other", b"other"),
        ("Change", b"data"),
    ]


def test_a_pointer_stands_for_its_target_and_a_folder_for_all_below_it(box: Sandbox) -> None:
    commit(box, "Deep", {"sets/one/x": "x"}, "sets/one")

    assert subjects(run(box, "data.dv")) == ["Change"]
    assert subjects(run(box, "sets")) == ["Deep"]


def test_a_target_that_was_deleted_has_its_history(box: Sandbox) -> None:
    box.git("rm", "-q", "data.dv")
    box.git("commit", "-qm", "Gone")

    result = run(box, "data")

    assert subjects(result) == ["Gone", "Change"]
    assert (newest(result).state, newest(result).deleted) == ("deleted", 6)


def test_a_target_that_was_moved_is_followed(box: Sandbox) -> None:
    box.git("mv", "data.dv", "new.dv")
    box.git("commit", "-qm", "Move")

    result = run(box, "new")

    assert [(c.targets[0].path, c.targets[0].state) for c in result.commits] == [
        (b"new", "moved"),
        (b"data", "added"),
    ]
    assert newest(result).moved_from == b"data"


def test_a_move_is_told_of_once_without_a_path(box: Sandbox) -> None:
    box.git("mv", "data.dv", "new.dv")
    box.git("commit", "-qm", "Move")

    assert [len(c.targets) for c in run(box).commits] == [1, 1]


def test_not_following_ends_at_the_move(box: Sandbox) -> None:
    box.git("mv", "data.dv", "new.dv")
    box.git("commit", "-qm", "Move")

    assert [(c.subject, c.targets[0].state) for c in run(box, "new", follow=False).commits] == [
        ("Move", "added")
    ]


def test_a_change_of_the_note_alone_is_told_as_that(box: Sandbox) -> None:
    box.write({"data.dv": box.read("data.dv") + b'[note]\nsource = "web"\n'})
    box.git("commit", "-qam", "Note")

    assert newest(run(box, "data")).note == "its note"


# -- a path inside --------------------------------------------------------------------------------


def test_of_a_file_only_the_commits_that_changed_it_are_told(box: Sandbox) -> None:
    commit(box, "Beta", {"data/b.txt": "changed"})
    commit(box, "Alpha", {"data/a.txt": "changed"})

    result = run(box, "data/a.txt")

    assert subjects(result) == ["Alpha", "Change"]
    (only,) = newest(result).changes
    assert (only.path, only.old and only.old.size, only.new and only.new.size) == (b"data/a.txt", 6, 7)


def test_of_a_folder_all_below_it_counts(box: Sandbox) -> None:
    commit(box, "Train", {"data/train/1.csv": "changed", "data/a.txt": "changed"})

    result = run(box, "data/train")

    assert subjects(result) == ["Train", "Change"]
    assert (newest(result).modified, result.commits[1].targets[0].added) == (1, 2)


def test_a_pattern_inside_counts_what_it_matches(box: Sandbox) -> None:
    commit(box, "Csv", {"data/train/1.csv": "changed"})
    commit(box, "Txt", {"data/a.txt": "changed"})

    assert subjects(run(box, "data/**/*.csv")) == ["Csv", "Change"]


def test_a_renamed_file_is_followed(box: Sandbox) -> None:
    commit(box, "Before", {"data/a.txt": "before"})
    (box.top / "data/a.txt").rename(box.top / "data/z.txt")
    commit(box, "Rename", {})
    commit(box, "After", {"data/z.txt": "after"})

    result = run(box, "data/z.txt")

    assert [(c.subject, c.targets[0].path, c.targets[0].state) for c in result.commits] == [
        ("After", b"data/z.txt", "changed"),
        ("Rename", b"data/z.txt", "moved"),
        ("Before", b"data/a.txt", "changed"),
        ("Change", b"data/a.txt", "added"),
    ]
    assert result.commits[1].targets[0].moved_from == b"data/a.txt"


def test_a_renamed_folder_is_followed(box: Sandbox) -> None:
    (box.top / "data/train").rename(box.top / "data/training")
    commit(box, "Rename", {})

    result = run(box, "data/training")

    assert subjects(result) == ["Rename", "Change"]
    assert newest(result).moved_from == b"data/train"


def test_a_deleted_file_has_its_history(box: Sandbox) -> None:
    commit(box, "Delete", {"data/a.txt": None})

    result = run(box, "data/a.txt")

    assert [(c.subject, c.targets[0].state) for c in result.commits] == [
        ("Delete", "deleted"),
        ("Change", "added"),
    ]


def test_a_path_that_never_was_is_an_error(box: Sandbox) -> None:
    with pytest.raises(NoSuchPathError, match=r"data/nope is in no version of data"):
        run(box, "data/nope")
    with pytest.raises(NoSuchPathError, match="nope matches nothing"):
        run(box, "nope")


# -- which commits --------------------------------------------------------------------------------


def test_a_revision_or_a_range_bounds_it(box: Sandbox) -> None:
    commit(box, "One", {"data/a.txt": "1"})
    commit(box, "Two", {"data/a.txt": "2"})

    assert subjects(run(box, "data", rev="HEAD~1")) == ["One", "Change"]
    assert subjects(run(box, "data", rev="v1..HEAD~1")) == ["One"]
    assert subjects(run(box, "data", rev="HEAD..HEAD")) == []


def test_an_unknown_revision_is_an_error(box: Sandbox) -> None:
    with pytest.raises(UnknownRevisionError):
        run(box, "data", rev="nowhere")


def test_a_limit_leaves_out_older_commits_and_says_so(box: Sandbox) -> None:
    commit(box, "One", {"data/a.txt": "1"})

    assert (subjects(run(box, "data", limit=1)), run(box, "data", limit=1).has_more) == (["One"], True)
    assert run(box, "data", limit=2).has_more is False


def test_where_nothing_was_ever_tracked_there_is_nothing_to_tell(empty_box: Sandbox) -> None:
    assert run(empty_box).commits == ()


def branch_off(box: Sandbox) -> None:
    box.git("switch", "-q", "-c", "side")
    commit(box, "Side", {"data/side.txt": "s"})
    box.git("switch", "-q", "main")
    box.checkout()
    commit(box, "Main", {"data/main.txt": "m"})


def test_a_merge_that_equals_a_parent_is_left_out_and_its_side_branch_is_told_of(box: Sandbox) -> None:
    branch_off(box)
    box.git("merge", "-q", "-s", "ours", "--no-edit", "side")

    assert set(subjects(run(box, "data"))) == {"Side", "Main", "Change"}


def test_a_merge_that_differs_from_every_parent_is_told_of(box: Sandbox) -> None:
    branch_off(box)
    box.git("merge", "-q", "-s", "ours", "--no-commit", "side")
    commit(box, "Merge", {"data/side.txt": "s"})

    result = run(box, "data")

    assert (subjects(result)[0], result.commits[0].is_merge) == ("Merge", True)
    assert [c.path for c in newest(result).changes] == [b"data/side.txt"]
    assert "Merge" not in subjects(run(box, "data/side.txt"))


# -- what cannot be told --------------------------------------------------------------------------


def test_a_version_whose_tree_is_not_here_is_told_as_unknown(box: Sandbox) -> None:
    commit(box, "One", {"data/a.txt": "1"})
    box.drop_cache()

    result = run(box, "data")

    assert [(c.subject, c.targets[0].state) for c in result.commits] == [
        ("One", "unknown"),
        ("Change", "added"),
    ]
    assert [(f.code, f.hint, f.exit_status) for f in result.failed] == [
        ("missing-object", "dataver fetch --all", 3)
    ]


def test_an_unreadable_pointer_is_named_and_passed_over(box: Sandbox) -> None:
    good = box.read("data.dv")
    for content, subject in ((b"rubbish\n", "Break"), (good, "Mend")):
        box.write({"data.dv": content})
        box.git("commit", "-qam", subject)

    result = run(box, "data")

    assert [(c.subject, c.targets[0].state) for c in result.commits] == [
        ("Mend", "unreadable"),
        ("Break", "unreadable"),
        ("Change", "added"),
    ]
    assert result.exit_status == 0
    assert {failure.code for failure in result.warnings} == {"unreadable"}


def test_a_shallow_clone_says_where_history_is_cut(box: Sandbox) -> None:
    commit(box, "One", {"data/a.txt": "1"})
    there = box.top.parent / "shallow"
    subprocess.run(["git", "clone", "-q", "--depth=1", box.top.as_uri(), str(there)], check=True)

    result = run(Sandbox(there), "data")

    assert [(c.subject, c.targets[0].state) for c in result.commits] == [("One", "cut")]
    assert [failure.code for failure in result.warnings] == ["shallow"]


# -- what it costs --------------------------------------------------------------------------------


def many(changed: dict[int, bytes]) -> list[Entry]:
    return [file(b"%05d" % n, changed.get(n, b"%d" % n)) for n in range(20_000)]


def test_only_leaves_that_differ_are_opened(empty_box: Sandbox) -> None:
    with empty_box.repo() as repo:
        pointers = [
            pointer_to(repo, many({n * 7000: b"%d" % count for n in range(count)})) for count in range(3)
        ]
        for pointer in pointers:
            empty_box.write({"data.dv": encode_pointer(pointer)})
            empty_box.git("add", "data.dv")
            empty_box.commit()
        reader = Reader(repo, repo.git.pointer_log(["HEAD"]))
        following = Following(b"data.dv")
        for each in reader.history:
            describe(reader, each, following, follow=True)

        assert len(repo.trees.root(pointers[0].root_id).leaves) > 15
        assert reader.trees.loads <= 6


def test_many_changes_are_counted_and_the_first_are_listed(empty_box: Sandbox) -> None:
    empty_box.write({f"data/{n:04}": f"{n}" for n in range(1001)})
    empty_box.record("data")
    empty_box.write({f"data/{n:04}": "changed" + f"{n}" for n in range(1001)})
    empty_box.record("data")

    told = newest(run(empty_box, "data"))

    assert (told.modified, len(told.changes)) == (1001, 1000)
