"""What a plugin registers, wrongly."""

from __future__ import annotations

from dataclasses import replace

from contract.broken.delegating import Delegating, described
from pydantic import ConfigDict
from zaiko_example.plugin import EXAMPLE
from zaiko_example.settings import ExampleSettings
from zaiko_example.simulator import ExampleSimulator
from zaiko_sdk import (
    Capability,
    Connector,
    ShopContext,
)


class SlowShop(ExampleSimulator):
    """Allows so few calls a second that a connector exceeds them on a busy machine too."""

    def __init__(self) -> None:
        super().__init__()
        self.switch("requests_per_second", 5)


class Bare(Connector):
    """Has what every connector must have, and nothing more."""

    def __init__(self, context: ShopContext, settings: ExampleSettings) -> None:
        self.inner = EXAMPLE.open(context, settings)

    check = Delegating.check
    fetch_orders = Delegating.fetch_orders
    list_listings = Delegating.list_listings
    read_inventory = Delegating.read_inventory
    aclose = Delegating.aclose


class Undescribed(ExampleSettings):
    page: int = 1


class Lenient(ExampleSettings):
    model_config = ConfigDict(extra="ignore")


class Talkative(ExampleSettings):
    def __repr__(self) -> str:
        return f"Talkative({self.token.get_secret_value()})"


described("a_connector_has_a_name_and_a_version", replace(EXAMPLE, id="Example Shop"))
described("limits_are_sizes", replace(EXAMPLE, limits=replace(EXAMPLE.limits, order_batch=0)))
described(
    "capabilities_fit_together",
    replace(EXAMPLE, capabilities=EXAMPLE.capabilities - {Capability.READ_INVENTORY}),
)
described("declared_capabilities_are_implemented", replace(EXAMPLE, open=Bare))
described("every_setting_says_where_it_is_found", replace(EXAMPLE, settings=Undescribed))
described("a_misspelt_setting_is_refused", replace(EXAMPLE, settings=Lenient))
described("credentials_are_never_shown", replace(EXAMPLE, settings=Talkative))
described(
    "the_largest_number_is_taken",
    replace(EXAMPLE, limits=replace(EXAMPLE.limits, max_quantity=10_000_000)),
)
described(
    "the_quota_is_kept",
    replace(
        EXAMPLE,
        open=lambda context, settings: EXAMPLE.open(
            context, settings.model_copy(update={"requests_per_second": 100_000.0})
        ),
    ),
    simulator=SlowShop,
)
