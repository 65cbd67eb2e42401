"""What a connector remembers over restarts: sealed, per shop, and gone with the credentials that it
came from."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import replace
from typing import TypeVar

import pytest
from sqlalchemy import select
from support.world import MERCHANT, World
from zaiko_core.app import closing, shops
from zaiko_core.storage import schema
from zaiko_core.storage.database import Database
from zaiko_core.storage.secrets import SecretBox
from zaiko_core.sync.state import StoredState
from zaiko_sdk import StateUnavailable

T = TypeVar("T")
KEY = SecretBox.new_key()
TOKENS = {"refresh_token": "rotated-token-7"}


def run(work: Awaitable[T]) -> T:
    async def main() -> T:
        return await work

    return asyncio.run(main())


def state_of(db: Database, shop: str) -> StoredState:
    """As another process would open it."""
    return StoredState(db, SecretBox([KEY]), MERCHANT, shop)


def test_a_state_is_found_again_by_another_process_and_by_its_own_shop_only(db: Database) -> None:
    World(db).begin()
    assert run(state_of(db, "a").load()) == {}
    run(state_of(db, "a").save({"refresh_token": "older"}))
    run(state_of(db, "a").save(TOKENS))
    assert run(state_of(db, "a").load()) == TOKENS
    assert run(state_of(db, "b").load()) == {}


def test_a_state_is_sealed_at_rest(db: Database) -> None:
    World(db).begin()
    run(state_of(db, "a").save(TOKENS))
    with db.engine.connect() as connection:
        stored = connection.scalar(select(schema.shop_states.c.sealed))
    assert stored is not None
    assert b"rotated" not in stored


def test_a_state_is_forgotten_with_the_credentials_that_it_came_from_and_kept_when_only_settings_change(  # noqa: E501
    db: Database,
) -> None:
    World(db).begin()
    run(state_of(db, "a").save(TOKENS))
    db.write_sync(
        MERCHANT,
        lambda uow: shops.update(
            uow, replace(shops.get(uow, "a"), display_name="A", settings={"x": 1})
        ),
    )
    assert run(state_of(db, "a").load()) == TOKENS
    db.write_sync(
        MERCHANT, lambda uow: shops.update(uow, replace(shops.get(uow, "a"), secrets=b"others"))
    )
    assert run(state_of(db, "a").load()) == {}


def test_a_deleted_shop_remembers_nothing(db: Database) -> None:
    World(db).begin()
    run(state_of(db, "a").save(TOKENS))
    db.write_sync(MERCHANT, lambda uow: closing.delete(uow, "a"))
    assert run(state_of(db, "a").load()) == {}


def test_saving_uses_up_no_revision(db: Database) -> None:
    World(db).begin()
    before = db.read_sync(MERCHANT, lambda uow: uow.merchants.head)
    run(state_of(db, "a").save(TOKENS))
    assert db.read_sync(MERCHANT, lambda uow: uow.merchants.head) == before


def test_a_state_that_cannot_be_had_is_said_to_the_connector_as_an_error_of_the_host(
    db: Database,
) -> None:
    World(db).begin()
    with pytest.raises(StateUnavailable):
        run(StoredState(db, SecretBox([KEY]), "nobody", "a").save(TOKENS))
    run(state_of(db, "a").save(TOKENS))
    with pytest.raises(StateUnavailable, match="cannot be decrypted"):
        run(StoredState(db, SecretBox([SecretBox.new_key()]), MERCHANT, "a").load())


def test_a_state_that_is_too_large_is_refused_and_the_old_one_stays(db: Database) -> None:
    World(db).begin()
    run(state_of(db, "a").save(TOKENS))
    with pytest.raises(ValueError, match="at most"):
        run(state_of(db, "a").save({"page": "x" * 70_000}))
    assert run(state_of(db, "a").load()) == TOKENS
