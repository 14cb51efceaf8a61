"""Names and files that hurt: stored faithfully, or refused by name while the others go on."""

import os
import socket
from pathlib import Path

import pytest

from tests.e2e.cli import name_of
from tests.e2e.project import Project, picture, publish


def _round_trip(project: Project) -> Project:
    """Commit, push, and pull into a second clone."""
    project.commit()
    publish(project)
    other = project.clone("other")
    other.run("pull")
    return other


def _write(project: Project, *names: bytes) -> None:
    for name in names:
        path = os.path.join(os.fsencode(project.root), b"data", name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as opened:
            opened.write(b"content of " + name)


def _listed(project: Project) -> set[str]:
    return {name_of(entry["path"]) for entry in project.ask("ls", "-R", "data")["entries"]}


FAITHFUL = {
    "not UTF-8": [b"caf\xe9.csv", b"\xff\xfe/inner \xe9.csv"],
    "255 bytes": [b"n" * 255, b"\xc3\xa9" * 127 + b"n"],
    "a path of 2,000 bytes": [b"/".join([b"d" * 200] * 10) + b"/f"],
    "blanks and quotes": [b" lead", b"it's", b'a "b"', b"a  b", b"$HOME", b"-rf", b"*?[a]", b"#x", b"!y"],
    "folders whose names continue each other": [b"a/x", b"a.b/y", b"a-b/z", b"a0/w", b"a b/v"],
    "words of Git": [b"HEAD", b"a.dv.csv", b".gitignore", b".gitattributes", b"refs/heads/main"],
    "not Latin": ["数据.csv".encode(), "😀/🎉.txt".encode(), "ÅÄÖ.csv".encode()],
}


@pytest.mark.parametrize("names", FAITHFUL.values(), ids=FAITHFUL.keys())
def test_a_name_that_hurts_arrives_byte_for_byte_in_a_second_clone(
    project: Project, names: list[bytes]
) -> None:
    _write(project, b"plain.txt", *names)

    project.run("add", "data")

    other = _round_trip(project)
    assert picture(other.root / "data") == picture(project.root / "data")


@pytest.mark.parametrize("names", FAITHFUL.values(), ids=FAITHFUL.keys())
def test_a_changed_file_whose_name_hurts_is_restored(project: Project, names: list[bytes]) -> None:
    _write(project, *names)
    project.run("add", "data")
    before = picture(project.root / "data")
    path = os.path.join(os.fsencode(project.root), b"data", names[0])
    with open(path, "wb") as opened:
        opened.write(b"changed")

    project.run("checkout", "--force")

    assert picture(project.root / "data") == before


@pytest.mark.parametrize("name", [b"a\nb", b"a\tb", b"bell\x07", b"\x7f"])
def test_a_name_with_a_control_character_is_refused_by_name(project: Project, name: bytes) -> None:
    _write(project, b"plain.txt", name)

    result = project.run("--json", "add", "data", expect=6)

    assert set(result.failed) == {f"data/{os.fsdecode(name)}"}


@pytest.mark.parametrize("name", [".git/x", ".GIT/x", ".dataver/x", "git~1", ".git /x", "\\lead", "C:/x"])
def test_a_name_that_is_gits_own_somewhere_is_refused_by_name(project: Project, name: str) -> None:
    project.write({"data/plain.txt": "plain\n", f"data/{name}": "hostile\n"})

    result = project.run("--json", "add", "data", expect=6)

    assert [path.split("/")[1] for path in result.failed] == [name.split("/")[0]]
    assert _listed(project) == {"data/plain.txt"}


def test_a_refused_name_leaves_the_others_added(project: Project) -> None:
    _write(project, b"plain.txt", b"a\nb", b"sub/other.txt")

    project.run("add", "data", expect=6)

    assert _listed(project) == {"data/plain.txt", "data/sub/other.txt"}


@pytest.mark.parametrize("twins", [("caf\u00e9.txt", "cafe\u0301.txt"), ("Readme.md", "README.md")])
def test_twins_that_fold_to_one_name_are_added_with_a_warning(
    project: Project, twins: tuple[str, str]
) -> None:
    project.write({f"data/{name}": f"{name}\n" for name in twins})
    if len(os.listdir(project.root / "data")) < 2:
        pytest.skip("this file system folds names")

    result = project.run("add", "data")

    assert "warning" in result.stderr
    other = _round_trip(project)
    assert picture(other.root / "data") == picture(project.root / "data")


def test_a_fifo_is_refused_by_name_and_never_opened(project: Project) -> None:
    project.write({"data/plain.txt": "plain\n"})
    os.mkfifo(project.root / "data/pipe")

    result = project.run("--json", "add", "data", expect=6, timeout_s=30)

    assert set(result.failed) == {"data/pipe"}
    assert _listed(project) == {"data/plain.txt"}


def test_a_socket_is_refused_by_name(project: Project) -> None:
    project.write({"data/plain.txt": "plain\n"})
    with socket.socket(socket.AF_UNIX) as opened:
        here = os.getcwd()
        os.chdir(project.root / "data")  # an AF_UNIX path has room for 108 bytes only
        try:
            opened.bind("socket")
        finally:
            os.chdir(here)

        result = project.run("--json", "add", "data", expect=6, timeout_s=30)

    assert set(result.failed) == {"data/socket"}
    assert _listed(project) == {"data/plain.txt"}


def test_a_fifo_that_is_itself_the_target_is_refused(project: Project) -> None:
    os.mkfifo(project.root / "pipe")

    project.run("add", "pipe", expect=6, timeout_s=30)

    assert not (project.root / "pipe.dv").exists()


def test_a_dangling_symlink_is_stored(project: Project) -> None:
    project.write({"data/plain.txt": "plain\n"})
    (project.root / "data/dangling").symlink_to("nowhere/at/all")

    project.run("add", "data")

    other = _round_trip(project)
    assert os.readlink(other.root / "data/dangling") == "nowhere/at/all"


@pytest.mark.parametrize(
    "aim", ["/etc/passwd", "../outside.txt", "../../../../etc/passwd", "sub/../../outside.txt"]
)
def test_an_outward_symlink_is_refused_by_name(project: Project, aim: str) -> None:
    project.write({"data/plain.txt": "plain\n", "outside.txt": "secret\n"})
    (project.root / "data/outward").symlink_to(aim)

    result = project.run("--json", "add", "data", expect=6)

    assert set(result.failed) == {"data/outward"}
    assert _listed(project) == {"data/plain.txt"}


def test_a_symlink_to_an_outside_folder_is_not_followed(project: Project, tmp_path: Path) -> None:
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret/key.pem").write_text("private\n")
    project.write({"data/plain.txt": "plain\n"})
    (project.root / "data/folder").symlink_to(tmp_path / "secret")

    project.run("add", "data", expect=6)

    assert _listed(project) == {"data/plain.txt"}


def test_an_empty_folder_is_kept(project: Project) -> None:
    (project.root / "data/empty").mkdir(parents=True)
    project.write({"data/plain.txt": "plain\n"})

    project.run("add", "data")

    other = _round_trip(project)
    assert (other.root / "data/empty").is_dir()


def test_an_empty_folder_is_kept_beside_a_file_whose_name_continues_its_own(project: Project) -> None:
    (project.root / "data/a").mkdir(parents=True)
    project.write({"data/a.txt": "plain\n", "data/a-b/x.txt": "x\n"})

    project.run("add", "data")

    other = _round_trip(project)
    assert picture(other.root / "data") == picture(project.root / "data")


def test_a_folder_with_nothing_in_it_can_be_tracked(project: Project) -> None:
    (project.root / "data").mkdir()

    project.run("add", "data")

    other = _round_trip(project)
    assert (other.root / "data").is_dir()


def test_an_empty_file_is_kept(project: Project) -> None:
    project.write({"data/empty.txt": ""})

    project.run("add", "data")

    other = _round_trip(project)
    assert other.read("data/empty.txt") == ""


@pytest.mark.parametrize("length", [252, 255])
def test_a_target_whose_own_name_is_long_is_added_or_refused(project: Project, length: int) -> None:
    name = "n" * length
    project.write({name: "long\n"})

    result = project.run("add", name, expect=0 if length == 252 else None)

    assert (project.root / name).read_text() == "long\n"
    assert (result.exit == 0) == (length == 252)


def test_an_unreadable_file_is_named_and_the_others_are_added(unprivileged: Project) -> None:
    unprivileged.write({"data/plain.txt": "plain\n", "data/locked.txt": "locked\n"})
    (unprivileged.root / "data/locked.txt").chmod(0)

    result = unprivileged.run("--json", "add", "data", expect=7)

    assert set(result.failed) == {"data/locked.txt"}
    assert _listed(unprivileged) == {"data/plain.txt"}


def test_an_unreadable_folder_is_named_and_the_others_are_added(unprivileged: Project) -> None:
    unprivileged.write({"data/plain.txt": "plain\n", "data/locked/inner.txt": "locked\n"})
    (unprivileged.root / "data/locked").chmod(0)

    result = unprivileged.run("--json", "add", "data", expect=7)

    (unprivileged.root / "data/locked").chmod(0o755)
    assert set(result.failed) == {"data/locked"}
    assert _listed(unprivileged) == {"data/plain.txt"}


@pytest.mark.parametrize(
    "count",
    [
        5_000,
        pytest.param(100_000, marks=pytest.mark.scale),
        pytest.param(1_000_000, marks=pytest.mark.scale),
    ],
)
def test_many_files_in_one_folder_arrive_in_a_second_clone(project: Project, count: int) -> None:
    (project.root / "data").mkdir()
    for number in range(count):
        (project.root / f"data/{number:07}.txt").write_text(f"{number}\n")

    project.run("add", "data", timeout_s=3_600)
    project.commit()
    publish(project, timeout_s=3_600)
    other = project.clone("other")
    other.run("pull", timeout_s=3_600)

    assert picture(other.root / "data") == picture(project.root / "data")
