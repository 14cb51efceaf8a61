"""What `diff` says: in short, as names, by folder, and as a table for a review."""

from dataver import FolderChange, TargetDiff
from dataver.cli import render_diff
from tests.cli.made import change, diff_result, many_changes

TWO = (change("added", b"data/a|b", new=5), change("renamed", b"data/d", old=1, new=1, was=b"data/c"))


def test_a_diff_is_one_line_a_target() -> None:
    page = render_diff.page(diff_result(TargetDiff(b"data", many_changes())))

    assert page.lines == ["data/   +40 files  -2  ~3  1 renamed  +120 MB"]


def test_one_file_is_a_file() -> None:
    page = render_diff.page(diff_result(TargetDiff(b"data", (change("deleted", b"data/a", old=7),))))

    assert page.lines == ["data/   -1 file  -7 B", "    - data/a"]


def test_each_kind_of_change_has_its_mark() -> None:
    changes = (
        *TWO,
        change("modified", b"data/m", old=5, new=3),
        change("type", b"data/t", old=1, new=1),
        change("unsafe", b"data/u")._replace(note="a FIFO"),
    )

    page = render_diff.page(diff_result(TargetDiff(b"data", changes)))

    assert page.lines == [
        "data/   +1 file  ~2  1 renamed  +3 B  1 unsafe",
        "    + data/a|b  5 B",
        "    > data/c -> data/d",
        "    ~ data/m  -2 B",
        "    ~ data/t  (another type)",
        "    ! data/u  (a FIFO)",
    ]


def test_no_difference_is_said_beside_the_data() -> None:
    page = render_diff.page(diff_result())

    assert page.lines == []
    assert page.notes == ["No difference between v1 and v2."]


def test_what_cannot_be_compared_says_why() -> None:
    page = render_diff.page(diff_result(TargetDiff(b"data", (), note="a leaf is not in the cache")))

    assert page.lines == ["data/   a leaf is not in the cache"]


def test_names_only_gives_both_names_of_a_rename() -> None:
    page = render_diff.names_only(diff_result(TargetDiff(b"data", TWO)))

    assert page.lines == ["data/a|b", "data/c", "data/d"]


def test_by_folder_gives_checksums() -> None:
    folder = FolderChange(b"data/train", 1, 0, 0, 0, 5, "a" * 64, "b" * 64)

    page = render_diff.by_folder(diff_result(TargetDiff(b"data", TWO, (folder,))))

    assert page.lines[1:] == ["    data/train/   +1 file  +5 B   aaaaaaaaaaaa -> bbbbbbbbbbbb"]


def test_markdown_is_a_table_that_a_bar_in_a_name_does_not_break() -> None:
    page = render_diff.markdown(diff_result(TargetDiff(b"data", TWO)))

    assert page.lines == [
        "### Data: v1 → v2",
        "",
        "| data | change |",
        "| --- | --- |",
        "| `data/` | +1 file  1 renamed  +5 B |",
        "",
        "| change | path | old size | size |",
        "| --- | --- | ---: | ---: |",
        "| added | `data/a\\|b` |  | 5 B |",
        "| renamed | `data/c` → `data/d` | 1 B | 1 B |",
    ]


def test_markdown_says_how_many_rows_it_leaves_out() -> None:
    changes = tuple(change("added", b"data/%d" % n, new=1) for n in range(60))

    page = render_diff.markdown(diff_result(TargetDiff(b"data", changes)))

    assert page.lines[-1] == "and 10 more"


def test_markdown_without_a_difference_says_so() -> None:
    assert render_diff.markdown(diff_result()).lines[-1] == "No change."
