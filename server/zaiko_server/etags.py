"""Weak etags, made of the revision of the last change. Clients compare them and never parse
them."""

from __future__ import annotations

from zaiko_core.domain.errors import EtagMismatch


def etag(revision: int) -> str:
    """Return the etag of a resource that was last changed at this revision."""
    return f'W/"r{revision}"'


def check(given: str, revision: int) -> None:
    """Raise EtagMismatch when an etag is given and is not that of `revision`."""
    if given and given != etag(revision):
        raise EtagMismatch(etag(revision))
