"""The table of commands and Typer's declarations say the same."""

from collections.abc import Iterator
from typing import Any

import typer

from dataver.cli.app import app
from dataver.cli.catalog import COMMANDS, SECTIONS
from dataver.cli.fast import help_text


def _declared(command: Any, words: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """Yield each command of Typer's with the words that call it."""
    if hasattr(command, "commands"):
        for name, sub in command.commands.items():
            yield from _declared(sub, (*words, name))
    else:
        yield " ".join(words), command


DECLARED = dict(_declared(typer.main.get_command(app)))


def _options_of(command: Any) -> dict[str, bool]:
    """Return option -> whether it takes a value."""
    return {
        name: not parameter.is_flag
        for parameter in command.params
        if parameter.param_type_name == "option"
        for name in (*parameter.opts, *parameter.secondary_opts)
        if name not in ("--help", "-h")
    }


def test_the_table_has_every_command_and_no_other() -> None:
    assert set(COMMANDS) == set(DECLARED)


def test_the_table_has_every_option_and_says_which_take_a_value() -> None:
    listed = {
        words: {option.partition("=")[0]: "=" in option for option in command.options.split()}
        for words, command in COMMANDS.items()
    }

    assert listed == {words: _options_of(command) for words, command in DECLARED.items()}


def test_the_help_page_names_every_command() -> None:
    text = help_text()

    assert [words for words in DECLARED if f"  {words} " not in text] == []


def test_the_help_page_fits_a_terminal() -> None:
    assert max(map(len, help_text().splitlines())) <= 100


def test_every_command_explains_itself() -> None:
    assert [words for words, command in DECLARED.items() if not command.help] == []


def test_every_option_explains_itself() -> None:
    silent = [
        f"{words} {parameter.name}"
        for words, command in DECLARED.items()
        for parameter in command.params
        if not parameter.help
    ]

    assert silent == []


def test_summaries_begin_small_and_end_without_a_stop() -> None:
    summaries = [command.summary for _, commands in SECTIONS for command in commands]

    assert [s for s in summaries if s[0].isupper() or s.endswith(".")] == []
