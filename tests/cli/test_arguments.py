"""Global options: before or after the command, never after `--`."""

import pytest

from dataver.cli.arguments import Globals, is_json_wanted, take_globals
from dataver.errors import UsageError


@pytest.mark.parametrize("argv", [["--json", "-q", "add", "data"], ["add", "data", "--json", "--quiet"]])
def test_options_may_stand_before_or_after_the_command(argv: list[str]) -> None:
    assert take_globals(argv) == (Globals(is_json=True, is_quiet=True), ["add", "data"])


def test_nothing_behind_two_dashes_is_an_option() -> None:
    assert take_globals(["add", "--", "--json", "-C"]) == (Globals(), ["add", "--", "--json", "-C"])


@pytest.mark.parametrize("argv", [["-C", "sub"], ["-Csub"]])
def test_dash_c_names_a_folder(argv: list[str]) -> None:
    assert take_globals([*argv, "status"]) == (Globals(folder="sub"), ["status"])


def test_a_second_dash_c_goes_on_from_the_first() -> None:
    assert take_globals(["-C", "a", "-C", "b"])[0].folder == "a/b"


def test_a_second_absolute_dash_c_starts_anew() -> None:
    assert take_globals(["-C", "a", "-C", "/b"])[0].folder == "/b"


@pytest.mark.parametrize("argv", [["--color", "never"], ["--color=never"]])
def test_color_takes_a_word(argv: list[str]) -> None:
    assert take_globals(argv) == (Globals(color="never"), [])


@pytest.mark.parametrize("argv", [["--color", "red"], ["--color"], ["-C"]])
def test_a_wrong_or_lacking_value_is_a_usage_error(argv: list[str]) -> None:
    with pytest.raises(UsageError):
        take_globals(argv)


def test_options_of_the_command_are_left_alone() -> None:
    words = ["checkout", "--force", "v1", "-j", "4"]

    assert take_globals(words) == (Globals(), words)


def test_json_is_seen_even_where_the_rest_makes_no_sense() -> None:
    assert is_json_wanted(["--json", "--color"])


def test_json_behind_two_dashes_is_a_path() -> None:
    assert not is_json_wanted(["add", "--", "--json"])


@pytest.mark.parametrize("argv", [["--lock-timeout", "30"], ["--lock-timeout=30"]])
def test_lock_timeout_takes_seconds(argv: list[str]) -> None:
    assert take_globals(["add", *argv, "data"]) == (Globals(lock_timeout="30"), ["add", "data"])


@pytest.mark.parametrize("value", ["soon", "-1", "1.5", "", "10m"])
def test_a_lock_timeout_that_is_no_whole_number_is_a_usage_error(value: str) -> None:
    with pytest.raises(UsageError):
        take_globals([f"--lock-timeout={value}"])
