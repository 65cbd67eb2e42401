"""Etags: weak, made of the revision of the last change, compared and never parsed by clients."""

from __future__ import annotations

from zaiko_core.domain.errors import EtagMismatch


def etag(revision: int) -> str:
    """The etag of a resource whose last change has this revision."""
    return f'W/"r{revision}"'


def check(given: str, revision: int) -> None:
    """Raises EtagMismatch when an etag was given and is not that of `revision`."""
    if given and given != etag(revision):
        raise EtagMismatch(etag(revision))
