"""The location whose stock is kept: the one of the settings, or the only possible one."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from zaiko_sdk import ReplyFields, SettingsInvalid

from zaiko_shopify.client import Client
from zaiko_shopify.documents import LOCATIONS
from zaiko_shopify.settings import ShopifySettings


@dataclass(frozen=True, slots=True)
class Location:
    """One location of the shop."""

    id: str
    name: str
    active: bool
    sells_online: bool
    of_service: bool

    def __str__(self) -> str:
        return f"{self.name} ({self.id.rsplit('/', 1)[-1]})"


class Locations:
    """Finds the location once, and keeps it."""

    def __init__(self, client: Client, settings: ShopifySettings) -> None:
        self._client, self._settings = client, settings
        self._chosen = settings.location
        self._turn = asyncio.Lock()

    async def chosen(self) -> str:
        """Return the location's id. Raises SettingsInvalid with the list of locations when a person
        has to choose one."""
        async with self._turn:
            if self._chosen is None:
                self._chosen = (await self.find()).id
            return self._chosen

    async def find(self) -> Location:
        """Find the location. Raises SettingsInvalid when the setting names none of the shop's
        locations, or is empty while several are possible."""
        data = await self._client.query(LOCATIONS)
        known = [_location(node) for node in data.inner("locations").each("nodes")]
        if self._settings.location is not None:
            return _named(self._settings.location, known)
        meant = [
            place for place in known if place.active and place.sells_online and not place.of_service
        ]
        if len(meant) == 1:
            return meant[0]
        listed = ", ".join(str(place) for place in (meant or known)) or "none"
        which = "More than one location fulfils" if meant else "No active location fulfils"
        raise SettingsInvalid(
            f"{which} online orders: {listed}. Enter the number of the one that zaiko keeps "
            "as `location`."
        )


def _named(location: str, known: list[Location]) -> Location:
    for place in known:
        if place.id == location:
            if not place.active:
                raise SettingsInvalid(
                    f"The location {place} is deactivated; activate it, or choose another "
                    "as `location`."
                )
            return place
    listed = ", ".join(str(place) for place in known if place.active) or "none"
    raise SettingsInvalid(
        f"The shop has no location {location.rsplit('/', 1)[-1]}; there are: {listed}."
    )


def _location(node: ReplyFields) -> Location:
    return Location(
        id=node.text("id"),
        name=node.text_or_empty("name"),
        active=node.flag("isActive"),
        sells_online=node.flag("fulfillsOnlineOrders"),
        of_service=node.flag("isFulfillmentService"),
    )
