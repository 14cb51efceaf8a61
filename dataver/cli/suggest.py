"""Near misses for typos: one line says what is wrong, the next what may have been meant."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from dataver.cli.catalog import COMMANDS, GROUPS, PLUMBING, VERBS, option_names
from dataver.errors import DataverError, UnknownRemoteError, UsageError

GLOBAL_NAMES = (
    "--json",
    "--quiet",
    "--verbose",
    "--debug",
    "--color",
    "--no-progress",
    "--lock-timeout",
    "--version",
    "--help",
)


def closest(word: str, choices: Iterable[str]) -> str:
    """Return the one of *choices* that *word* most resembles, or the empty string."""
    import difflib  # 2 ms, and only a mistake needs it

    return next(iter(difflib.get_close_matches(word, list(choices), n=1)), "")


def check_command(words: Sequence[str]) -> None:
    """Raise UsageError unless *words* begin with a command."""
    verb = words[0]
    if verb in PLUMBING:
        return
    if verb not in VERBS:
        if verb.startswith("-"):
            raise no_option(verb, "")
        guess = closest(verb, VERBS)
        raise UsageError(
            f"no such command {verb!r}", hint=f"did you mean dataver {guess}?" if guess else "dataver --help"
        )
    if verb in GROUPS:
        _check_group(verb, words[1:])


def _check_group(verb: str, words: Sequence[str]) -> None:
    names = [name.split()[1] for name in COMMANDS if name.startswith(f"{verb} ")]
    if not words:
        raise UsageError(f"dataver {verb} needs one of: {', '.join(names)}", hint=f"dataver {verb} --help")
    if words[0] not in names and words[0] not in ("-h", "--help"):
        if words[0].startswith("-"):
            raise no_option(words[0], verb)
        guess = closest(words[0], names)
        raise UsageError(
            f"no such command '{verb} {words[0]}'",
            hint=f"did you mean dataver {verb} {guess}?" if guess else f"dataver {verb} --help",
        )


def no_option(option: str, words: str) -> UsageError:
    """Return the error for an *option* that the command *words* does not have."""
    name = option.partition("=")[0]
    guess = closest(name, [*option_names(words), *GLOBAL_NAMES])
    of = f" of dataver {words}" if words else ""
    hint = f"did you mean {guess}?" if guess else f"dataver {words + ' ' if words else ''}--help"
    return UsageError(f"no such option {name!r}{of}", hint=hint)


def hint_of(error: DataverError) -> str:
    """Return the hint for *error*: its own, or the remote that may have been meant."""
    if isinstance(error, UnknownRemoteError):
        guess = closest(error.name, error.known)
        if guess:
            return f"did you mean {guess}?"
    return error.hint
