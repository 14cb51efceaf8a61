"""Entries that were taken out of leaves in one clone alone, beside what the records say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from dataver.erasure.records import ErasureState


def with_told(state: ErasureState, told: Mapping[bytes, bytes]) -> ErasureState:
    """Return *state* with entries that were taken out of leaves here: commitment -> uid of the erasure.

    Without anything denied nothing had a reason to take them out.
    """
    if not told or not state.erasures:
        return state
    return replace(
        state,
        erased=state.erased._replace(told=state.erased.told | told.keys()),
        erased_by=MappingProxyType({**told, **state.erased_by}),
    )
