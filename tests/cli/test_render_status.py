"""What `status` says, to people and to scripts, word by word."""

from dataver.cli import render_status
from tests.cli.made import change, many_changes, status_result, target_status


def test_nothing_tracked_says_how_to_begin() -> None:
    page = render_status.page(status_result())

    assert page.lines == ["Nothing is tracked yet."]
    assert page.notes == ["hint: dataver add <path>"]


def test_a_clean_target_is_clean() -> None:
    page = render_status.page(status_result(target_status()))

    assert page.lines == ["data/   clean: 1,204 files, 3.1 GB"]
    assert page.notes == []


def test_a_single_file_has_no_slash() -> None:
    page = render_status.page(status_result(target_status(path=b"m.bin", is_folder=False, files=1)))

    assert page.lines == ["m.bin   clean: 1 file, 3.1 GB"]


def test_the_workspace_at_another_version_says_which() -> None:
    target = target_status(state="dirty", at="v2", changes=many_changes())

    page = render_status.page(status_result(target, head_name="v1"))

    assert page.lines == [
        "data/   40 added, 2 deleted, 3 modified, 1 renamed      (data.dv is at v1, the workspace at v2)"
    ]
    assert page.notes == ["hint: dataver checkout brings the workspace to v1"]


def test_few_changes_are_listed() -> None:
    changes = (
        change("added", b"data/a", new=5),
        change("renamed", b"data/c", old=1, new=1, was=b"data/b"),
        change("unsafe", b"data/pipe")._replace(note="a FIFO"),
    )

    page = render_status.page(status_result(target_status(state="dirty", changes=changes)))

    assert page.lines == [
        "data/   1 added, 1 renamed, 1 unsafe",
        "    added     data/a  5 B",
        "    renamed   data/b -> data/c",
        "    unsafe    data/pipe  (a FIFO)",
    ]
    assert page.notes == ["hint: dataver add data records the changes; dataver checkout data undoes them"]


def test_many_changes_are_listed_only_when_asked() -> None:
    result = status_result(target_status(state="dirty", changes=many_changes()))

    short, long = render_status.page(result), render_status.page(result, is_long=True)

    assert (len(short.lines), len(long.lines)) == (1, 47)


def test_a_fresh_clone_says_pull() -> None:
    target = target_status(state="absent", absent=1204)

    page = render_status.page(status_result(target, is_fresh_clone=True, has_remote=True))

    assert page.lines == ["data/   absent: 1,204 files, 3.1 GB"]
    assert page.notes == ["hint: dataver pull brings the data here"]


def test_a_fresh_clone_without_a_remote_says_how_to_add_one() -> None:
    page = render_status.page(status_result(target_status(state="absent", absent=9), is_fresh_clone=True))

    assert page.notes == ["hint: dataver remote add origin URL, then dataver pull brings the data here"]


def test_a_sparse_target_says_how_much_is_here_and_needs_no_hint() -> None:
    target = target_status(state="partial", absent=404, missing=404, sparse=("train",))

    page = render_status.page(status_result(target, has_remote=True))

    assert page.lines == ["data/   800 of 1,204 files here      (data/train only)"]
    assert page.notes == []


def test_files_that_are_nowhere_here_are_counted() -> None:
    page = render_status.page(status_result(target_status(missing=3), has_remote=True))

    assert page.lines == ["data/   3 files neither here nor in the cache"]
    assert page.notes == ["hint: dataver pull brings the data here"]


def test_a_conflict_names_the_pointer_and_a_way_out() -> None:
    page = render_status.page(status_result(target_status(state="conflict", git="modified")))

    assert page.lines == ["data/   conflict: data.dv was changed on both sides      (data.dv is not staged)"]
    assert page.notes == ["hint: dataver resolve --union|--ours|--theirs data.dv"]


def test_a_moved_pointer_says_from_where() -> None:
    page = render_status.page(status_result(target_status(path=b"new", git="moved", moved_from=b"data")))

    assert page.lines == ["new/   moved from data"]
    assert page.notes == ["hint: dataver checkout moves the data after its pointer"]


def test_what_the_remote_lacks_is_counted() -> None:
    page = render_status.page(status_result(target_status(remote_missing=12)))

    assert page.lines == ["data/   12 objects not on the remote"]
    assert page.notes == ["hint: dataver push sends what the remote lacks"]


def test_a_pointer_that_git_does_not_know_says_so() -> None:
    page = render_status.page(status_result(target_status(git="untracked")))

    assert page.lines == ["data/   clean: 1,204 files, 3.1 GB      (data.dv is not in Git)"]
    assert page.notes == ["hint: git add data.dv"]


def test_a_deleted_pointer_says_so_and_nothing_of_its_data() -> None:
    page = render_status.page(status_result(target_status(git="deleted", files=0, size_text="")))

    assert page.lines == ["data/   data.dv was deleted"]


def test_names_stand_in_a_column() -> None:
    page = render_status.page(status_result(target_status(), target_status(path=b"longer")))

    assert page.lines == ["data/     clean: 1,204 files, 3.1 GB", "longer/   clean: 1,204 files, 3.1 GB"]


def test_many_clean_targets_are_one_line() -> None:
    targets = [target_status(path=b"t%d" % n, files=2) for n in range(30)]

    assert render_status.page(status_result(*targets)).lines == ["30 targets clean, 60 files"]


def test_among_many_targets_only_those_with_news_are_listed() -> None:
    targets = [target_status(path=b"t%02d" % n) for n in range(29)]
    changed = target_status(path=b"u", state="dirty", changes=(change("deleted", b"u/a", old=1),))

    assert render_status.page(status_result(*targets, changed)).lines == [
        "u/   1 deleted",
        "    deleted   u/a",
        "29 other targets clean",
    ]


def test_the_same_hint_is_given_once() -> None:
    targets = [target_status(path=name, state="absent", absent=1) for name in (b"a", b"b")]

    assert len(render_status.page(status_result(*targets, has_remote=True)).notes) == 1


# -- porcelain --------------------------------------------------------------------------------------


def test_porcelain_of_a_clean_target_is_empty() -> None:
    assert render_status.porcelain(status_result(target_status())) == b""


def test_porcelain_has_a_letter_for_each_change() -> None:
    kinds = {"added": "A", "modified": "M", "deleted": "D", "type": "T", "unsafe": "U"}
    changes = tuple(change(kind, kind.encode(), old=1, new=1) for kind in kinds)

    lines = render_status.porcelain(status_result(target_status(state="dirty", changes=changes))).decode()

    assert lines.splitlines() == [f" {letter} {kind}" for kind, letter in kinds.items()]


def test_porcelain_says_how_each_pointer_stands_to_head() -> None:
    words = {"added": "A", "staged": "M", "modified": "M", "untracked": "?", "deleted": "D"}
    targets = [target_status(path=word.encode(), git=word) for word in words]

    lines = render_status.porcelain(status_result(*targets)).decode().splitlines()

    assert lines == [f"{letter}  {word}" for word, letter in words.items()]


def test_porcelain_says_what_is_with_a_whole_target() -> None:
    targets = [
        target_status(path=b"a", state="absent", absent=4, missing=4),
        target_status(path=b"b", state="conflict"),
        target_status(path=b"c", missing=1),
        target_status(path=b"d", state="partial", absent=1),
    ]

    assert render_status.porcelain(status_result(*targets)) == b" - a\n C b\n ! c\n - d\n"


def test_porcelain_with_nul_gives_a_rename_as_new_and_old() -> None:
    changes = (change("renamed", b"data/new", old=1, new=1, was=b"data/old"),)

    raw = render_status.porcelain(status_result(target_status(changes=changes)), has_nul=True)

    assert raw == b" R data/new\0data/old\0"


def test_porcelain_gives_a_rename_as_git_does() -> None:
    changes = (change("renamed", b"data/new", old=1, new=1, was=b"data/old"),)

    assert (
        render_status.porcelain(status_result(target_status(changes=changes))) == b" R data/old -> data/new\n"
    )


def test_porcelain_with_nul_gives_names_as_they_are() -> None:
    changes = (change("added", b'caf\xe9 "x"', new=1),)

    raw = render_status.porcelain(status_result(target_status(changes=changes)), has_nul=True)

    assert raw == b' A caf\xe9 "x"\0'


def test_porcelain_quotes_a_name_that_a_line_cannot_hold() -> None:
    changes = (change("added", b'caf\xe9 "x"\n', new=1), change("added", "d\u00fc b".encode(), new=1))

    raw = render_status.porcelain(status_result(target_status(changes=changes)))

    assert raw == b' A "caf\\351 \\"x\\"\\n"\n A ' + "d\u00fc b".encode() + b"\n"
