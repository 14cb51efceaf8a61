"""`resolve`: conflicts settled by side, by path, and what stays when nobody decides."""

from __future__ import annotations

import os
import subprocess

import pytest

from dataver.errors import NoSuchPathError, UsageError
from dataver.formats.pointer import Pointer, encode_pointer
from dataver.model.guarding import ResolvedTarget, ResolveResult
from dataver.ops.resolve import resolve
from dataver.workspace.paths import PathLike
from tests.ops.merge_bench import change, diverge
from tests.workspace.sandbox import Sandbox


@pytest.fixture
def torn(box: Sandbox) -> Sandbox:
    """Return a work tree with `data.dv` in conflict: a.txt and b.txt differ, each side added a file."""
    diverge(
        box,
        {"data/a.txt": "mine", "data/b.txt": "mine", "data/mine.txt": "m"},
        {"data/a.txt": "theirs", "data/b.txt": "theirs", "data/theirs.txt": "t"},
    )
    return box


def run(box: Sandbox, *paths: PathLike, side: str | None = None, dry_run: bool = False) -> ResolveResult:
    with box.repo() as repo:
        return resolve(repo, paths, side=side, dry_run=dry_run)


def one(result: ResolveResult) -> ResolvedTarget:
    (target,) = result.targets
    return target


def texts(box: Sandbox) -> dict[str, str]:
    """Bring the workspace to its pointers and give what lies in `data/`."""
    assert box.checkout().failed == ()
    return {path.name: path.read_text() for path in (box.top / "data").glob("*.txt")}


def stages(box: Sandbox) -> str:
    return box.git("ls-files", "-u")


# -- a side for all of it -------------------------------------------------------------------------


def test_ours_keeps_what_we_changed_and_takes_what_only_they_changed(torn: Sandbox) -> None:
    result = run(torn, side="ours")

    assert (result.failed, one(result).is_resolved) == ((), True)
    assert texts(torn) == {"a.txt": "mine", "b.txt": "mine", "mine.txt": "m", "theirs.txt": "t"}


def test_theirs_takes_their_version_of_what_both_changed_and_no_more(torn: Sandbox) -> None:
    run(torn, side="theirs")

    assert texts(torn) == {"a.txt": "theirs", "b.txt": "theirs", "mine.txt": "m", "theirs.txt": "t"}


def test_a_union_keeps_both_and_says_under_which_names(torn: Sandbox) -> None:
    result = run(torn, side="union")

    assert one(result).beside == (
        (b"data/a.txt", b"data/a.theirs.txt"),
        (b"data/b.txt", b"data/b.theirs.txt"),
    )
    found = texts(torn)
    assert (found["a.txt"], found["a.theirs.txt"]) == ("mine", "theirs")


def test_the_pointer_is_staged_and_git_can_commit(torn: Sandbox) -> None:
    run(torn, side="union")

    assert stages(torn) == ""
    torn.git("commit", "-q", "-m", "Merge")
    torn.checkout()
    assert torn.target().state == "clean"


def test_no_file_of_the_workspace_changes(torn: Sandbox) -> None:
    before = (torn.read("data/a.txt"), sorted(os.listdir(torn.top / "data")))

    run(torn, side="theirs")

    assert (torn.read("data/a.txt"), sorted(os.listdir(torn.top / "data"))) == before


def test_unsaved_work_is_not_overwritten_by_the_checkout_that_follows(torn: Sandbox) -> None:
    torn.write({"data/a.txt": "unsaved"})
    run(torn, side="theirs")

    result = torn.checkout()

    assert {failure.code for failure in result.failed} == {"would-overwrite"}
    assert torn.read("data/a.txt") == b"unsaved"


def test_a_dry_run_says_what_would_be_and_changes_nothing(torn: Sandbox) -> None:
    before = (torn.read("data.dv"), stages(torn), len(torn.packs("s")))

    result = run(torn, side="union", dry_run=True)

    assert one(result).is_resolved
    assert len(one(result).beside) == 2
    assert (torn.read("data.dv"), stages(torn), len(torn.packs("s"))) == before


# -- without a side -------------------------------------------------------------------------------


def test_without_a_side_the_conflicts_are_listed_and_stay(torn: Sandbox) -> None:
    before = (torn.read("data.dv"), stages(torn))

    result = run(torn)

    assert [(c.kind, c.path) for c in one(result).conflicts] == [
        ("both modified", b"data/a.txt"),
        ("both modified", b"data/b.txt"),
    ]
    assert (result.exit_status, result.failed[0].code) == (6, "conflict")
    assert (torn.read("data.dv"), stages(torn)) == before


def test_without_a_side_what_does_not_conflict_is_merged(box: Sandbox) -> None:
    diverge(box, {"data/mine.txt": "m"}, {"data/theirs.txt": "t"})

    assert run(box).exit_status == 0
    assert {"mine.txt", "theirs.txt"} <= set(texts(box))


def test_nothing_in_conflict_is_nothing_to_do(box: Sandbox) -> None:
    assert run(box, side="ours") == ResolveResult((), "ours")


def test_a_target_that_is_not_in_conflict_is_an_error(box: Sandbox) -> None:
    with pytest.raises(NoSuchPathError, match="data is not in conflict"):
        run(box, "data", side="ours")


def test_an_unknown_side_is_an_error(box: Sandbox) -> None:
    with pytest.raises(UsageError, match="unknown side 'mine'"):
        run(box, side="mine")


# -- path by path ---------------------------------------------------------------------------------


def test_paths_are_decided_one_by_one_and_the_last_one_resolves(torn: Sandbox) -> None:
    first = run(torn, "data/a.txt", side="theirs")
    second = run(torn, "data/b.txt", side="ours")

    assert (one(first).is_resolved, one(first).decided, first.exit_status) == (False, 1, 6)
    assert [c.path for c in one(first).conflicts] == [b"data/b.txt"]
    assert (one(second).is_resolved, second.exit_status) == (True, 0)
    found = texts(torn)
    assert (found["a.txt"], found["b.txt"]) == ("theirs", "mine")


def test_a_decision_can_be_changed_before_the_last(torn: Sandbox) -> None:
    run(torn, "data/a.txt", side="theirs")
    run(torn, "data/a.txt", side="ours")

    run(torn, "data/b.txt", side="ours")

    assert texts(torn)["a.txt"] == "mine"


def test_a_side_for_the_whole_target_decides_what_was_decided_before_too(torn: Sandbox) -> None:
    run(torn, "data/a.txt", side="theirs")

    run(torn, "data", side="ours")

    assert texts(torn)["a.txt"] == "mine"


def test_a_pattern_decides_what_it_matches(torn: Sandbox) -> None:
    assert one(run(torn, "data/*.txt", side="theirs")).is_resolved


def test_a_path_that_is_not_in_conflict_is_an_error(torn: Sandbox) -> None:
    with pytest.raises(NoSuchPathError, match=r"data/mine\.txt is not in conflict"):
        run(torn, "data/mine.txt", side="ours")


def test_decisions_are_forgotten_with_the_merge_that_they_were_made_for(torn: Sandbox) -> None:
    run(torn, "data/a.txt", side="theirs")
    torn.git("merge", "--abort")
    torn.checkout()
    torn.write({"data/mine.txt": "another"})
    torn.record("data")
    torn.git("-c", "merge.dataver.driver=false", "merge", "-q", "side", check=False)

    assert [c.path for c in one(run(torn)).conflicts] == [b"data/a.txt", b"data/b.txt"]


# -- what a merge by entry cannot settle ----------------------------------------------------------


def single(box: Sandbox) -> None:
    """Leave the pointer of the single file `model.bin` in conflict."""
    box.write({"model.bin": "base"})
    box.record("model.bin")
    box.git("switch", "-q", "-c", "side")
    box.write({"model.bin": "theirs"})
    box.record("model.bin")
    box.git("switch", "-q", "main")
    box.checkout()
    box.write({"model.bin": "mine"})
    box.record("model.bin")
    box.git("-c", "merge.dataver.driver=false", "merge", "-q", "side", check=False)


@pytest.mark.parametrize(("side", "text"), [("ours", b"mine"), ("theirs", b"theirs")])
def test_of_a_single_file_one_version_is_taken(box: Sandbox, side: str, text: bytes) -> None:
    single(box)

    run(box, side=side)

    box.checkout()
    assert box.read("model.bin") == text


def test_a_union_of_a_single_file_gives_theirs_a_pointer_of_its_own(box: Sandbox) -> None:
    single(box)

    result = run(box, "model.bin", side="union")

    assert one(result).beside == ((b"model.bin", b"model.theirs.bin"),)
    box.checkout()
    assert (box.read("model.bin"), box.read("model.theirs.bin")) == (b"mine", b"theirs")
    assert box.git("status", "--porcelain").splitlines() == ["M  .gitignore", "A  model.theirs.bin.dv"]


@pytest.mark.parametrize(("side", "stays"), [("ours", False), ("theirs", True), ("union", True)])
def test_a_pointer_that_we_deleted_and_they_changed(box: Sandbox, side: str, stays: bool) -> None:
    box.git("switch", "-q", "-c", "side")
    change(box, {"data/a.txt": "theirs"})
    box.record("data")
    box.git("switch", "-q", "main")
    box.git("rm", "-q", "data.dv")
    box.commit()
    box.git("merge", "-q", "side", check=False)

    result = run(box, side=side)

    assert (one(result).is_deleted, (box.top / "data.dv").exists()) == (not stays, stays)
    assert stages(box) == ""


def test_a_deleted_pointer_stays_in_conflict_until_somebody_decides(box: Sandbox) -> None:
    box.git("switch", "-q", "-c", "side")
    box.git("rm", "-q", "data.dv")
    box.commit()
    box.git("switch", "-q", "main")
    change(box, {"data/a.txt": "mine"})
    box.record("data")
    box.git("merge", "-q", "side", check=False)

    result = run(box)

    assert result.failed[0].message == "data.dv: the pointer is on one side only: ours has it, theirs has not"
    assert result.exit_status == 6


def test_a_union_of_a_file_and_a_folder_puts_theirs_beside(box: Sandbox) -> None:
    diverge(box, {"data/a.txt": "mine"}, {"data/a.txt": "theirs"})
    blob = box.git("rev-parse", ":2:data.dv").strip()
    theirs = Pointer(box.pointer().root_id, False, 1, "5 B")
    (box.top / "p").write_bytes(encode_pointer(theirs))
    other = box.git("hash-object", "-w", "p").strip()
    rows = f"100644 {blob} 2\tdata.dv\n100644 {other} 3\tdata.dv\n"
    (box.top / "rows").write_text(rows)
    box.git("rm", "-q", "--cached", "data.dv")
    with (box.top / "rows").open() as stream:
        subprocess.run(["git", "update-index", "--index-info"], cwd=box.top, stdin=stream, check=True)

    result = run(box, side="union")

    assert one(result).beside == ((b"data", b"data.theirs"),)
    assert (box.pointer("data").is_folder, box.pointer("data.theirs").is_folder) == (True, False)


def test_a_side_that_is_no_pointer_is_named_and_the_others_go_on(torn: Sandbox) -> None:
    torn.git("merge", "--abort")
    torn.git("switch", "-q", "side")
    torn.write({"data.dv": "rubbish\n"})
    torn.git("commit", "-qam", "Rubbish")
    torn.git("switch", "-q", "main")
    torn.git("-c", "merge.dataver.driver=false", "merge", "-q", "side", check=False)

    result = run(torn, side="theirs")

    assert [(failure.path, failure.exit_status) for failure in result.failed] == [(b"data", 3)]


# -- notes ----------------------------------------------------------------------------------------


def noted(box: Sandbox, **notes: str) -> None:
    """Leave `data.dv` in conflict, where only the key `source` of its note differs."""
    for branch, text in notes.items():
        box.git("switch", "-q", "-C", branch, "v1")
        pointer = box.pointer()
        note = {"source": text}
        box.write({"data.dv": encode_pointer(Pointer(pointer.root_id, True, 6, pointer.size_text, note))})
        box.git("commit", "-qam", "Note")
    box.git("-c", "merge.dataver.driver=false", "merge", "-q", next(iter(notes)), check=False)


@pytest.mark.parametrize(
    ("side", "note"),
    [
        ("ours", {"source": "web"}),
        ("theirs", {"source": "disk"}),
        ("union", {"source": "web", "source-theirs": "disk"}),
    ],
)
def test_a_note_is_decided_like_a_path(box: Sandbox, side: str, note: dict[str, str]) -> None:
    noted(box, theirs="disk", mine="web")

    run(box, side=side)

    assert dict(box.pointer().note) == note


def test_a_note_that_both_changed_is_a_conflict(box: Sandbox) -> None:
    noted(box, theirs="disk", mine="web")

    assert one(run(box)).note_keys == ("source",)
