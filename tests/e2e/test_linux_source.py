"""Real trees with symlinks and executables, through a folder and into a second clone."""

import os
import shutil
import subprocess
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.project import Project, picture, publish

SAMPLE_FILES = 4_000
SAMPLE_LIMIT = 256 << 10


def _is_inside(link: Path, top: Path) -> bool:
    """Say whether the symlink *link* is one that a tracked folder may hold."""
    aim = os.readlink(link)
    return not os.path.isabs(aim) and Path(os.path.normpath(link.parent / aim)).is_relative_to(top)


def _real_trees() -> Iterator[Path]:
    """Give folders of this machine that hold many files, symlinks and executables."""
    yield from (Path("/usr/lib/git-core"), Path("/usr/share/doc"), Path("/usr/include"))
    yield Path(sysconfig.get_paths()["stdlib"])


def _sample(aim: Path) -> None:
    """Copy some thousand files of this machine to *aim*, links as links, modes kept."""
    for tree in _real_trees():
        left = SAMPLE_FILES // 4
        top = tree.resolve()
        for here, folders, names in os.walk(top):
            folders[:] = sorted(name for name in folders if name not in ("__pycache__", "site-packages"))
            for name in [*names, *(f for f in folders if os.path.islink(os.path.join(here, f)))]:
                source = Path(here, name)
                if left == 0 or source.suffix == ".dv":
                    continue
                if source.is_symlink() and not _is_inside(source, top):
                    continue
                if not source.is_symlink() and source.stat().st_size > SAMPLE_LIMIT:
                    continue
                copy = aim / tree.name / source.relative_to(top)
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source, copy, follow_symlinks=False)
                left -= 1


def _kernel(work: Path) -> Path:
    """Give Debian's linux-source-6.1 unpacked below *work*; skip where apt cannot fetch it."""
    if shutil.which("apt-get") is None:
        pytest.skip("needs Debian's apt-get to fetch linux-source-6.1")
    got = subprocess.run(
        ["apt-get", "download", "-q", "linux-source-6.1"], cwd=work, capture_output=True, text=True
    )
    if got.returncode:
        pytest.skip(f"apt-get cannot fetch linux-source-6.1: {got.stderr[-200:]}")
    package = next(work.glob("linux-source-6.1_*.deb"))
    subprocess.run(["dpkg-deb", "-x", package, work / "deb"], check=True)
    subprocess.run(["tar", "-xf", work / "deb/usr/src/linux-source-6.1.tar.xz", "-C", work], check=True)
    return work / "linux-source-6.1"


def _pushed_and_pulled(project: Project) -> Project:
    """Add data/, push it, and pull it into a second clone."""
    project.run("add", "data", timeout_s=1_800)
    project.commit()
    publish(project, timeout_s=1_800)
    other = project.clone("other")
    other.run("pull", timeout_s=1_800)
    return other


def _differences(left: Path, right: Path) -> str:
    """Give what `diff` sees between two trees, links compared as links."""
    done = subprocess.run(
        ["diff", "-r", "--no-dereference", left, right], capture_output=True, text=True, errors="replace"
    )
    return done.stdout + done.stderr


def test_a_real_tree_is_the_same_in_a_second_clone(project: Project) -> None:
    _sample(project.root / "data")
    kinds = {kind for kind, _ in picture(project.root / "data").values()}
    assert kinds >= {"file", "symlink", "executable"}, "this machine has no tree that shows anything"

    other = _pushed_and_pulled(project)

    assert _differences(project.root / "data", other.root / "data") == ""
    assert picture(other.root / "data") == picture(project.root / "data")


@pytest.mark.scale
def test_the_linux_source_is_the_same_in_a_second_clone(project: Project, tmp_path: Path) -> None:
    _kernel(tmp_path).rename(project.root / "data")

    other = _pushed_and_pulled(project)

    assert _differences(project.root / "data", other.root / "data") == ""
    assert picture(other.root / "data") == picture(project.root / "data")
