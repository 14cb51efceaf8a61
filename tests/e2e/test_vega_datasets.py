"""A dataset that exists, in three real releases: every tag gives back exactly what npm delivered."""

import json
import os
import shutil
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.project import Project, new_project, picture, publish

RELEASES = ("1.31.1", "2.11.0", "3")


@dataclass(frozen=True, slots=True)
class History:
    """A project with one commit and tag a release, and where each release lies unpacked."""

    project: Project
    packages: dict[str, Path]


def _fetch(release: str, folder: Path) -> Path:
    """Give *release* of vega-datasets unpacked below *folder*; skip where npm cannot fetch it."""
    ready = folder / release
    if ready.exists():
        return ready
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is not installed; it brings the releases of vega-datasets")
    work = folder / f"{release}.{os.getpid()}"
    work.mkdir(parents=True)
    command = [npm, "pack", "--json", "--silent", f"vega-datasets@{release}"]
    try:
        asked = subprocess.run(command, cwd=work, capture_output=True, text=True, timeout=120, check=False)
    except subprocess.TimeoutExpired:
        pytest.skip(f"npm did not answer within two minutes for vega-datasets@{release}")
    if asked.returncode:
        pytest.skip(f"npm cannot fetch vega-datasets@{release}: {asked.stderr[-200:]}")
    archive = work / json.loads(asked.stdout)[-1]["filename"]
    with tarfile.open(archive) as opened:
        opened.extractall(work, filter="data")
    archive.unlink()
    try:
        work.rename(ready)
    except OSError:  # another worker was first, with the same release
        shutil.rmtree(work)
    return ready


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> History:
    """Version three releases of vega-datasets, and push all of them to a folder."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    packages = {release: _fetch(release, shared / "vega-datasets") / "package" for release in RELEASES}
    top = tmp_path_factory.mktemp("vega")
    project = new_project(top / "churn", top / "home")
    publish(project)
    for release, package in packages.items():
        shutil.rmtree(project.root / "vega", ignore_errors=True)
        shutil.copytree(package, project.root / "vega", symlinks=True)
        project.record("vega", tag=release, message=f"vega-datasets {release}")
    project.run("push", "--all")
    return History(project, packages)


@pytest.mark.parametrize("release", RELEASES)
def test_every_tag_checks_out_as_npm_delivered_it(history: History, release: str) -> None:
    history.project.git("switch", "-q", "--detach", release)

    history.project.run("checkout")

    assert picture(history.project.root / "vega") == picture(history.packages[release])


@pytest.mark.parametrize("release", RELEASES)
def test_every_tag_arrives_in_a_second_clone_as_npm_delivered_it(history: History, release: str) -> None:
    other = history.project.clone(f"other-{release}")
    other.git("switch", "-q", "--detach", release)

    other.run("pull")

    assert picture(other.root / "vega") == picture(history.packages[release])


def test_the_difference_of_two_releases_is_that_of_their_packages(history: History) -> None:
    old, new = (picture(history.packages[release]) for release in ("2.11.0", "3"))
    files_old, files_new = (
        {name for name, what in side.items() if what[0] != "folder"} for side in (old, new)
    )

    target = history.project.ask("diff", "2.11.0", "3")["targets"][0]

    assert target["added"] + target["renamed"] == len(files_new - files_old)
    assert target["deleted"] + target["renamed"] == len(files_old - files_new)
    assert target["modified"] == sum(old[name] != new[name] for name in files_old & files_new)
