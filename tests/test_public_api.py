"""The public interface: complete, lazy, and the same names everywhere."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import dataver
from dataver import errors

SOURCE = Path(dataver.__file__)


def test_importing_dataver_loads_no_room_of_the_house() -> None:
    program = "import sys, dataver; print(*[m for m in sys.modules if m.startswith('dataver.')])"

    done = subprocess.run(
        [sys.executable, "-c", program], cwd=SOURCE.parents[1], capture_output=True, text=True, check=True
    )

    assert done.stdout.split() == []


def test_no_name_is_public_twice() -> None:
    assert len(set(dataver.__all__)) == len(dataver.__all__)


@pytest.mark.parametrize("name", dataver.__all__)
def test_a_public_name_can_be_imported(name: str) -> None:
    assert getattr(dataver, name) is not None


def test_a_name_that_does_not_exist_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        dataver.nonsense  # noqa: B018


def test_every_error_is_public() -> None:
    classes = [
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, errors.DataverError)
    ]

    assert [name for name in classes if name not in dataver.__all__] == []


def test_type_checkers_see_the_same_names() -> None:
    tree = ast.parse(SOURCE.read_text())
    (block,) = [node for node in tree.body if isinstance(node, ast.If)]
    seen = {
        alias.asname or alias.name
        for node in ast.walk(block)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("dataver")
        for alias in node.names
    }

    assert seen == set(dataver.__all__) - {"__version__", "open", "path"}


def test_open_takes_no_mode_that_writes(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="'r' or 'rb'"):
        dataver.open(tmp_path / "x", mode="w")
