"""The house is in order: start-up stays small, and what the documentation says is what the program does."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import dataver
from dataver import errors
from dataver.model.settings import KEYS, Value

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "dataver"
DOCS = ROOT / "docs"
COMMAND_PAGES = DOCS / "commands"
TEXT_PAGES = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *DOCS.rglob("*.md")])

LONGEST_FILE = 300
REASON_FOR_LENGTH = "Longer than 300 lines because"

# What the program says before and after everything else: no class stands for these.
OUTERMOST = {("platform", 2), ("bug", 70)}

NOT_FOR_STATUS = {
    "asyncio", "fsspec", "numpy", "pathspec", "sqlitedict", "subprocess", "tomllib", "tqdm", "s3fs", "gcsfs",
}  # fmt: skip
FAST_ENTRIES = {"git-diff", "git-textconv", "git-merge", "complete", "hook"}
NOT_FOR_FAST_ENTRIES = NOT_FOR_STATUS | {"typer", "click", "rich"}


# -- Start-up ---------------------------------------------------------------------------------------


def _modules_after(arguments: list[str], cwd: Path, report: Path) -> set[str]:
    """Return the modules that a run of the program has loaded when it ends."""
    program = (
        "import atexit, os, sys\n"
        f"atexit.register(lambda: open({str(report)!r}, 'w').write('\\n'.join(sys.modules)))\n"
        f"sys.argv = ['dataver', *{arguments!r}]\n"
        "from dataver.__main__ import main\n"
        "sys.exit(main())\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return set(report.read_text().split())


def _run(arguments: list[str], cwd: Path) -> str:
    """Return what the program printed; it must end well."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-m", "dataver", *arguments],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"dataver {' '.join(arguments)}: {done.stderr}"
    return done.stdout


@pytest.fixture
def clean_repo(git_repo: Path) -> Path:
    """Return a small repository in which everything is committed and the index is warm."""
    _run(["init"], git_repo)
    for name in ("a", "b", "c"):
        (git_repo / "data").mkdir(exist_ok=True)
        (git_repo / "data" / name).write_text(name)
    os.utime(git_repo / "data", (1e9, 1e9))
    _run(["add", "data"], git_repo)
    subprocess.run(["git", "commit", "-qm", "data"], cwd=git_repo, check=True)
    # The racy rule hashes files again that are as young as the index: let them grow older than it.
    for _ in range(2):
        _run(["status"], git_repo)
    return git_repo


def test_a_clean_status_loads_no_heavy_module(clean_repo: Path, tmp_path: Path) -> None:
    loaded = _modules_after(["status"], clean_repo, tmp_path / "modules")

    assert loaded & NOT_FOR_STATUS == set()


def test_a_clean_porcelain_status_does_without_the_command_line_library(
    clean_repo: Path, tmp_path: Path
) -> None:
    loaded = _modules_after(["status", "--porcelain"], clean_repo, tmp_path / "modules")

    assert loaded & NOT_FOR_FAST_ENTRIES == set()


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_help_and_version_load_no_heavy_module(option: str, tmp_path: Path) -> None:
    loaded = _modules_after([option], tmp_path, tmp_path / "modules")

    assert loaded & NOT_FOR_STATUS == set()


def test_import_dataver_loads_no_foreign_library(tmp_path: Path) -> None:
    program = "import sys, dataver; print('\\n'.join(sys.modules))"

    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )

    assert (
        set(done.stdout.split()) & (NOT_FOR_FAST_ENTRIES | {"msgspec", "blake3", "xxhash", "zstandard"})
        == set()
    )


# -- The public interface -------------------------------------------------------------------------


def _names_documented_in(page: Path) -> set[str]:
    """Return the names that head an entry of the Python page: the first code span of a table's row."""
    return set(re.findall(r"^\| `([A-Za-z_][A-Za-z0-9_]*)[`(]", page.read_text(), re.MULTILINE))


def test_every_public_name_is_documented_and_no_other() -> None:
    documented = _names_documented_in(COMMAND_PAGES / "python-api.md")

    assert documented == set(dataver.__all__)


def _is_function(name: str) -> bool:
    return inspect.isfunction(getattr(dataver, name))


def test_the_parameters_of_every_verb_are_documented() -> None:
    page = (COMMAND_PAGES / "python-api.md").read_text()
    documented = dict(re.findall(r"^\| `(\w+)\((.*)\)` \|", page, re.MULTILINE))

    wrong = {
        name: documented.get(name)
        for name in filter(_is_function, dataver.__all__)
        if documented.get(name, "").replace("*, ", "")
        != ", ".join(inspect.signature(getattr(dataver, name)).parameters)
    }

    assert wrong == {}


def test_the_fields_of_every_result_are_documented() -> None:
    page = (COMMAND_PAGES / "python-api.md").read_text()
    rows = dict(re.findall(r"^\| `(\w+)` \| ((?:`\w+`(?:, )?)+) \|$", page, re.MULTILINE))
    everywhere = {"failed", "warnings"}

    wrong = {
        name: rows.get(name)
        for name in dataver.__all__
        if dataclasses.is_dataclass(value := getattr(dataver, name))
        and set(re.findall(r"\w+", rows.get(name, ""))) | everywhere
        != {field.name for field in dataclasses.fields(value)} | everywhere
    }

    assert wrong == {}


@pytest.mark.parametrize("name", dataver.__all__)
def test_a_public_name_can_be_had(name: str) -> None:
    assert getattr(dataver, name) is not None


def test_the_command_line_imports_public_names_only() -> None:
    hidden = [
        f"{path.relative_to(ROOT)}: {node.module}.{alias.name}"
        for path in sorted((PACKAGE / "cli").rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom)
        and node.module in ("dataver", "dataver.errors", "dataver.progress")
        for alias in node.names
        if alias.name not in dataver.__all__ and alias.name != "cli"
    ]

    assert hidden == []


def test_dir_lists_the_public_names() -> None:
    assert set(dataver.__all__) <= set(dir(dataver))


def test_the_version_is_that_of_the_project() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    assert dataver.__version__ == project["version"]


def test_every_public_function_and_class_says_what_it_does() -> None:
    silent = [
        name
        for name in dataver.__all__
        if (inspect.isfunction(getattr(dataver, name)) or inspect.isclass(getattr(dataver, name)))
        and not inspect.getdoc(getattr(dataver, name))
    ]

    assert silent == []


# -- Commands ---------------------------------------------------------------------------------------


def _commands() -> dict[str, set[str]]:
    """Return the options of every command, by the words that call it, such as `remote add`."""
    from typer.main import get_command

    from dataver.cli.app import app

    found: dict[str, set[str]] = {}

    # Typer carries its own copy of click, whose classes have no public name: look at attributes.
    def walk(command: Any, words: tuple[str, ...]) -> None:
        if hasattr(command, "commands"):
            for name, sub in command.commands.items():
                walk(sub, (*words, name))
            return
        found[" ".join(words)] = {
            text
            for parameter in command.params
            if parameter.param_type_name == "option" and not parameter.hidden
            for text in (*parameter.opts, *parameter.secondary_opts)
        }

    walk(get_command(app), ())
    return found


def _command_texts() -> str:
    return "\n".join(page.read_text() for page in COMMAND_PAGES.glob("*.md"))


def test_every_command_is_documented() -> None:
    text = _command_texts()

    missing = [
        words
        for words in _commands()
        if not re.search(rf"`(dataver )?{re.escape(words)}[ `]", text) and not words.startswith("git-")
    ]

    assert missing == []


def test_every_option_is_documented() -> None:
    text = _command_texts()

    missing = [
        f"{words} {option}"
        for words, options in _commands().items()
        for option in options
        if option.startswith("--") and f"{option}" not in text
    ]

    assert missing == []


def _dataver_calls(text: str) -> Iterator[tuple[str, str]]:
    """Yield each `dataver <word>` that stands in code, with the line that it stands in."""
    in_block = False
    for line in text.splitlines():
        if line.lstrip().startswith("```"):
            in_block = not in_block
            continue
        code = [line] if in_block else re.findall(r"`([^`]*)`", line)
        for part in code:
            for word in re.findall(
                r"(?:^|[\s(&|;])(?:git )?dataver(?: -C \S+| --json| -q)* ([a-z][a-z-]*)", part
            ):
                yield word, line


def test_the_pages_name_no_command_that_does_not_exist() -> None:
    verbs = {words.split()[0] for words in _commands()} | FAST_ENTRIES

    unknown = [
        f"{page.relative_to(ROOT)}: {line}"
        for page in TEXT_PAGES
        for word, line in _dataver_calls(page.read_text())
        if word not in verbs and not re.search(r"dataver (in|is|has|v1|pointer)\b", line)
    ]

    assert unknown == []


def _hints() -> Iterator[tuple[str, str]]:
    """Yield each hint that the package gives, with the file that gives it."""
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.keyword(arg="hint") | ast.Assign(targets=[ast.Name(id="hint")]):
                    parts = ast.walk(node.value)
                case _:
                    continue
            for part in parts:
                if isinstance(part, ast.Constant) and isinstance(part.value, str):
                    yield part.value, str(path.relative_to(ROOT))


def test_no_hint_names_a_command_that_does_not_exist() -> None:
    verbs = {words.split()[0] for words in _commands()} | FAST_ENTRIES

    unknown = [
        f"{where}: {hint}"
        for hint, where in _hints()
        for word in re.findall(r"\bdataver ([a-z][a-z-]*)", hint)
        if word not in verbs
    ]

    assert unknown == []


# -- Configuration ----------------------------------------------------------------------------------


def test_every_setting_is_documented_with_its_default_and_where_it_may_stand() -> None:
    page = (DOCS / "configuration.md").read_text()
    rows = re.findall(r"^\| `([a-z_.NAME]+)` \| .* \| (.*) \| (yes|no) \| .* \|$", page, re.MULTILINE)

    documented = {name: (default.replace("`", ""), committed == "yes") for name, default, committed in rows}

    assert documented == {
        key.name.replace("*", "NAME"): (_default_shown(key.default), key.committed) for key in KEYS
    }


def _default_shown(value: Value) -> str:
    if isinstance(value, tuple):
        return ", ".join(value)
    return str(value).lower() if isinstance(value, bool) else str(value)


# -- Exit codes -------------------------------------------------------------------------------------


def _error_classes(module: ModuleType) -> list[type[errors.DataverError]]:
    return [
        value
        for value in vars(module).values()
        if isinstance(value, type)
        and issubclass(value, errors.DataverError)
        and value is not errors.DataverError
    ]


def _documented_errors() -> set[tuple[str, int]]:
    rows = re.findall(
        r"^\| `([a-z-]+)` \| (\d+) \|", (COMMAND_PAGES / "exit-codes.md").read_text(), re.MULTILINE
    )
    return {(code, int(status)) for code, status in rows}


def _codes_spelt_out() -> Iterator[tuple[str, str]]:
    """Yield each code that a `Failure` is given as a word, with the file that gives it."""
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.Call(func=ast.Name(id="Failure"), args=[_, ast.Constant(value=str() as code), *_]):
                    yield code, str(path.relative_to(ROOT))


def test_every_code_in_a_result_is_documented() -> None:
    page = (COMMAND_PAGES / "exit-codes.md").read_text()
    documented = set(re.findall(r"^\| `([a-z-]+)` \|", page, re.MULTILINE))

    unknown = [f"{where}: {code}" for code, where in _codes_spelt_out() if code not in documented]

    assert unknown == []


def _documented_statuses() -> set[int]:
    text = (COMMAND_PAGES / "exit-codes.md").read_text()
    heads = re.findall(r"^\| (\d+(?:, \d+)*) \|", text, re.MULTILINE)
    return {int(number) for head in heads for number in head.split(", ")}


def test_every_error_has_a_documented_code_and_exit_status() -> None:
    raised = {(error.code, error.exit_status) for error in _error_classes(errors)}

    assert _documented_errors() == raised | OUTERMOST


def test_every_exit_status_is_documented() -> None:
    used = {error.exit_status for error in _error_classes(errors)} | set(errors.EXIT_PRECEDENCE) | {0}

    assert used <= _documented_statuses()


def test_the_order_of_exit_statuses_is_documented() -> None:
    text = " ".join((COMMAND_PAGES / "exit-codes.md").read_text().split())
    order = [str(status) for status in errors.EXIT_PRECEDENCE]

    assert f"{order[0]} or {order[1]}, {', '.join(order[2:])}." in text


# -- The README ---------------------------------------------------------------------------------------


def _console_steps(page: Path) -> list[tuple[str, list[str]]]:
    """Return the commands of a page's console blocks, each with the lines that it is said to print."""
    steps: list[tuple[str, list[str]]] = []
    for block in re.findall(r"^```console\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL):
        for line in block.splitlines():
            if line.startswith("$ "):
                steps.append((line[2:], []))
            else:
                steps[-1][1].append(line)
    return steps


def _shape_of(lines: list[str]) -> list[str]:
    """Return lines with what differs between two runs made equal: numbers, sizes, times, ids, folders."""
    shaped = []
    for line in lines:
        text = re.sub(r"\b[0-9a-f]{7,64}\b", "ID", line)
        text = re.sub(r"(~|/)[\w./~-]*/(?=\w)", "DIR/", text)
        text = re.sub(r"\d+:\d\d\b", "N s", text)
        text = re.sub(r"\d[\d,]*(\.\d+)?", "N", text)
        text = re.sub(r"N (B|kB|MB|GB)\b", "SIZE", text)
        text = re.sub(r"\bpacks?\b", "pack", text)
        shaped.append(" ".join(text.split()))
    return shaped


def test_the_readme_prints_what_the_commands_print(tmp_path: Path) -> None:
    steps = _console_steps(ROOT / "README.md")
    mark = "=== step ended"
    script = "\n".join(f"{{ {command}\n}} 2>&1 || exit 1\necho '{mark}'" for command, _ in steps)
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir()
    program = bin_folder / "dataver"
    program.write_text(f'#!/bin/sh\nPYTHONPATH="{ROOT}" exec "{sys.executable}" -m dataver "$@"\n')
    program.chmod(0o755)
    play = tmp_path / "play"
    play.mkdir()

    done = subprocess.run(
        ["bash", "-c", script],
        cwd=play,
        env={**os.environ, "PATH": f"{bin_folder}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )

    printed = [part.strip("\n").splitlines() for part in done.stdout.split(f"{mark}\n")]
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(steps) > 5, "the README has no quickstart"
    for (command, said), got in zip(steps, printed, strict=False):
        assert _shape_of(got) == _shape_of(said), f"$ {command}\n" + "\n".join(got)


@pytest.mark.parametrize("page", TEXT_PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\((?!https?:|mailto:)([^)]+)\)", page.read_text())

    broken = [target for target in targets if not _link_exists(page, target)]

    assert broken == []


def _link_exists(page: Path, target: str) -> bool:
    name, _, anchor = target.partition("#")
    there = (page.parent / name).resolve() if name else page
    if not there.exists():
        return False
    if not anchor:
        return True
    heads = re.findall(r"^#+ (.*)$", there.read_text(), re.MULTILINE)
    return anchor in {re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in heads}


def test_the_tests_that_hold_the_promises_exist() -> None:
    defined = {
        name
        for path in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"def (test_\w+)", path.read_text())
    }

    named = set(re.findall(r"`(test_\w+)`", (DOCS / "promises.md").read_text()))

    assert named - defined == set()


# -- The code ---------------------------------------------------------------------------------------


def test_a_long_file_says_why() -> None:
    long = [
        f"{path.relative_to(ROOT)}: {count} lines"
        for path in sorted(PACKAGE.rglob("*.py"))
        if (count := len(path.read_text().splitlines())) > LONGEST_FILE
        and REASON_FOR_LENGTH not in " ".join((ast.get_docstring(ast.parse(path.read_text())) or "").split())
    ]

    assert long == []


def test_every_module_says_what_it_owns() -> None:
    silent = [
        str(path.relative_to(ROOT))
        for path in sorted(PACKAGE.rglob("*.py"))
        if not ast.get_docstring(ast.parse(path.read_text()))
    ]

    assert silent == []


def test_no_module_has_a_name_that_says_nothing() -> None:
    empty_names = {"utils", "util", "helpers", "helper", "common", "manager", "misc"}

    assert [path for path in PACKAGE.rglob("*.py") if path.stem in empty_names] == []


def _text_files() -> Iterator[Path]:
    for folder in (PACKAGE, DOCS, ROOT / "tests", ROOT / "benchmarks"):
        yield from (p for p in sorted(folder.rglob("*")) if p.suffix in {".py", ".md", ".sh", ".toml"})
    yield from (ROOT / "README.md", ROOT / "CHANGELOG.md", ROOT / "Makefile", ROOT / "pyproject.toml")


def test_nothing_is_left_unfinished() -> None:
    marks = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b|NotImplementedError|@@[A-Z]+@@")

    left = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in _text_files()
        if path != Path(__file__)
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if marks.search(line)
    ]

    assert left == []


def test_function_level_imports_say_why() -> None:
    silent = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in sorted(PACKAGE.rglob("*.py"))
        for node in _late_imports(ast.parse(path.read_text()))
        if not _has_comment(path.read_text().splitlines(), node)
    ]

    assert silent == []


def _late_imports(tree: ast.Module) -> Iterator[ast.stmt]:
    """Yield the first import of each run of imports inside a function."""
    for function in ast.walk(tree):
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        previous: ast.AST | None = None
        for node in ast.walk(function):
            for body in (
                getattr(node, "body", []),
                getattr(node, "orelse", []),
                getattr(node, "handlers", []),
            ):
                if not isinstance(body, list):
                    continue
                previous = None
                for statement in body:
                    is_import = isinstance(statement, ast.Import | ast.ImportFrom)
                    if is_import and not isinstance(previous, ast.Import | ast.ImportFrom):
                        yield statement
                    previous = statement


def _has_comment(lines: list[str], node: ast.stmt) -> bool:
    """Return whether a comment stands on the import's line or the line above."""
    return "#" in lines[node.lineno - 1] or lines[node.lineno - 2].lstrip().startswith("#")
