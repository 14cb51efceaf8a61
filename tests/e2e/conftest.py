"""What the end-to-end tests share: a fresh project, and one with data and a remote."""

import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from tests.e2e.cli import environment
from tests.e2e.project import SMALL, Project, new_project, publish


def _copied(template: Path, tmp_path: Path) -> Project:
    """Give a copy of the project in *template*, with its home and store: cheaper than making it anew."""
    shutil.copytree(template, tmp_path, symlinks=True, dirs_exist_ok=True)
    return Project(tmp_path / "churn", environment(tmp_path / "home"))


@pytest.fixture(scope="session")
def project_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the folder with the project that `project` copies."""
    top = tmp_path_factory.mktemp("project")
    new_project(top / "churn", top / "home")
    return top


@pytest.fixture(scope="session")
def tracked_template(project_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the folder with the project that `tracked` copies."""
    top = tmp_path_factory.mktemp("tracked")
    project = _copied(project_template, top)
    project.write(SMALL)
    project.record("data", tag="v1")
    return top


@pytest.fixture(scope="session")
def published_template(tracked_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the folder with the project that `published` copies."""
    top = tmp_path_factory.mktemp("published")
    publish(_copied(tracked_template, top))
    return top


@pytest.fixture
def project(project_template: Path, tmp_path: Path) -> Project:
    """Give a Git repository in which `dataver init` was run and committed."""
    return _copied(project_template, tmp_path)


@pytest.fixture
def tracked(tracked_template: Path, tmp_path: Path) -> Project:
    """Give a project whose folder data/ has six files, committed and tagged v1."""
    return _copied(tracked_template, tmp_path)


@pytest.fixture
def published(published_template: Path, tmp_path: Path) -> Project:
    """Give the project of `tracked` with a folder as its remote, everything pushed."""
    return _copied(published_template, tmp_path)


@pytest.fixture
def unprivileged(project: Project) -> Project:
    """Give a project whose program is stopped by the modes of files, even where root runs the tests."""
    if os.geteuid() != 0:
        return project
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        pytest.skip("root reads everything, and there is no setpriv to take that right away")
    return replace(project, under=(setpriv, "--bounding-set=-dac_override,-dac_read_search"))


@pytest.fixture
def conflicted(tracked: Project) -> Project:
    """Give a project with the pointers data and other, of which the merge left data in conflict."""
    tracked.write({"other/x.txt": "x\n"})
    tracked.record("other")
    tracked.git("switch", "-q", "-c", "side")
    tracked.write({"data/a.txt": "theirs\n"})
    tracked.record("data")
    tracked.git("switch", "-q", "main")
    tracked.run("checkout")
    tracked.write({"data/a.txt": "mine\n"})
    tracked.record("data")
    tracked.git("merge", "-q", "side", expect=1)
    return tracked
