"""Errors of obstore, read without importing it, as errors of ours.

It tells of every failure in one text: its own words with the answer's body, then a line "Debug source"
and what lay below.  Only the parts that are looked for here are looked at: an address, a setting or
a body may have any word in it.
"""

from __future__ import annotations

import re

from dataver.errors import AccessDeniedError, DataverError, OfflineError, WrongEndpointError
from dataver.store import answers

_STATUS = re.compile(r"status code: ([0-9]{3})")
_REFUSALS = frozenset(("400", "401", "403"))
_TAKEN = frozenset(("AlreadyExistsError", "PreconditionError"))
_DENIED = frozenset(("PermissionError", "PermissionDeniedError", "UnauthenticatedError"))
_LONGEST = 200


def code_of(error: BaseException) -> str:
    """Return the code in the body of the answer; empty where there is none."""
    return answers.code_in(_said_by(error))


def is_taken(error: BaseException) -> bool:
    """Tell whether a create-if-absent was refused because something is there."""
    return type(error).__name__ in _TAKEN or code_of(error) in answers.TAKEN


def is_refusal_without_reason(error: BaseException) -> bool:
    """Tell whether the answer refuses and does not say why: an answer to HEAD has no body."""
    return _status_of(error) in _REFUSALS and not code_of(error)


def converted(error: BaseException, url: str, operation: str, key: str) -> DataverError:
    """Return the error of ours that stands for a foreign one, a missing key apart."""
    said, status = _said_by(error), _status_of(error)
    code = code_of(error) or status
    if "Received redirect without LOCATION" in said:
        code = "301"
    known = answers.error_of_code(code, scheme="s3", url=url, operation=operation, key=key, said=said)
    if known is not None:
        return known
    if {kind.__name__ for kind in type(error).__mro__} & _DENIED:
        return AccessDeniedError(operation, f"{url}/{key}")
    if status == "400" and not code_of(error):
        return WrongEndpointError(url, "status 400")
    # Where an answer came the connection was good.
    found = None if status else answers.error_of_connection(_cause_of(error), url)
    return found or OfflineError(url, _in_short(said))


def _said_by(error: BaseException) -> str:
    return str(error).partition("Debug source")[0].strip()


def _cause_of(error: BaseException) -> str:
    """Return what lay below, without the request: every one of them has a `retry_timeout`."""
    below = str(error).partition("Debug source")[2]
    return below.partition("inner: ")[2] or below


def _status_of(error: BaseException) -> str:
    """Return the answer's status; empty where there was no answer."""
    found = _STATUS.search(_said_by(error))
    return found[1] if found else ""


def _in_short(said: str) -> str:
    """Return the first line without what was asked: `Error performing GET http://... in 2 ms - `."""
    first = said.splitlines()[0] if said else "it failed"
    return (first.partition(" - ")[2] or first).strip()[:_LONGEST]
