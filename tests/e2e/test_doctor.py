"""`doctor` as a person runs it: a line for each thing, the next command, and an exit status for scripts."""

from pathlib import Path

from tests.e2e.cli import dataver, environment
from tests.e2e.project import Project, make_home


def test_a_healthy_project_ends_with_nothing_is_wrong(published: Project) -> None:
    result = published.run("doctor")

    assert result.stdout.splitlines()[-1] == "Nothing is wrong."


def test_a_problem_is_told_once_with_its_way_out(published: Project) -> None:
    published.write({"data.dv": "no pointer\n"})

    result = published.run("doctor", expect=3)

    assert (result.text.count("data.dv:"), "git checkout HEAD -- data.dv" in result.stdout) == (1, True)


def test_the_document_lists_findings_and_failures(published: Project) -> None:
    published.store.rename(published.root.parent / "away")

    result = published.run("--json", "doctor", expect=4)

    states = {one["topic"]: one["state"] for one in result.data["findings"]}
    assert (states["remote origin"], states["cache"]) == ("problem", "ok")


def test_fix_says_what_it_mended(published: Project) -> None:
    published.git("config", "--unset", "merge.dataver.driver")

    result = published.run("doctor", "--fix")

    assert "mended   drivers" in result.stdout


def test_outside_of_a_repository_it_exits_2(tmp_path: Path) -> None:
    make_home(tmp_path / "home")

    result = dataver("doctor", cwd=tmp_path, env=environment(tmp_path / "home"), expect=2)

    assert "not inside a Git repository" in result.stdout
