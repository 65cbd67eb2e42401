"""Which item of a batch was refused: its index goes into the refusal's metadata."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager

from zaiko_core.domain.errors import ServiceError


@contextmanager
def indexed(
    items: Sequence[Sequence[str]],
) -> Iterator[Callable[[int], AbstractContextManager[None]]]:
    """Add the index of the item to an error that the block raises. An error that names something,
    in full or by its id under the word of its kind, gets the index of the first item with that
    name. `items` are the names of each item. What is yielded marks work on one item, whose errors
    get its index."""
    try:
        yield _at
    except ServiceError as refusal:
        if "index" not in refusal.metadata:
            named = set(refusal.metadata.values())
            for index, names in enumerate(items):
                if any(name in named or _is_named_by_id(name, refusal) for name in names):
                    refusal.metadata["index"] = str(index)
                    break
        raise


def _is_named_by_id(name: str, refusal: ServiceError) -> bool:
    *_, collection, last = name.split("/")
    return refusal.metadata.get(collection.removesuffix("s")) == last


@contextmanager
def _at(index: int) -> Iterator[None]:
    try:
        yield
    except ServiceError as refusal:
        refusal.metadata.setdefault("index", str(index))
        raise
