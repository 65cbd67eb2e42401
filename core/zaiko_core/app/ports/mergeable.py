"""Queries and commands that the store may merge with others of their kind."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

T = TypeVar("T")
I_contra = TypeVar("I_contra", contravariant=True)


@dataclass(frozen=True, slots=True)
class Mergeable(Generic[I_contra, T]):
    """A query or command about one item, written in terms of many. `apply_all` returns an answer
    for each item, in their order, or raises. Call it with a unit of work, as any other query or
    command.

    While calls wait for the same merchant, the store may pass the items of several of them to one
    call of `apply_all`: their queries then find the same answer for equal items, which nobody
    changes, and their commands share one revision. Two commands that share a conflict key are never
    merged: give one for each thing that has an etag, and for each key that must be unique.
    """

    apply_all: Callable[[Any, Sequence[Any]], Sequence[T]]
    item: I_contra
    conflict_keys: frozenset[str] = frozenset()

    def __call__(self, uow: Any) -> T:
        """Apply it to its item alone."""
        (answer,) = self.apply_all(uow, [self.item])
        return answer
