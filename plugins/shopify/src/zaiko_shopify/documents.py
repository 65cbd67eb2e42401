"""Every GraphQL document that this connector sends, and the version of the API that they are
written for.

`cost` is what Shopify will charge (FACTS.md §7), needed before the first reply contains it; a test
compares them. No document selects a field of a customer, an e-mail, a phone number or an address.
"""

from __future__ import annotations

from dataclasses import dataclass

API_VERSION = "2026-10"
"""The only place where the version is named."""

LISTINGS_PAGE, CHANGES_PAGE, LINES_PAGE, MAX_IDS = 250, 250, 250, 250
ORDERS_AT_ONCE = 100
"""Orders read by id in one request: its cost does not depend on their number, but the size of its
reply does."""


@dataclass(frozen=True, slots=True)
class Document:
    """One operation. `cost` is for the page sizes above."""

    name: str
    text: str
    cost: float


SHOP = Document(
    "Shop",
    """query Shop {
  shop { id name myshopifyDomain ianaTimezone }
  currentAppInstallation { accessScopes { handle } }
}""",
    3,
)

ORDER_ACCESS = Document(
    "OrderAccess", "query OrderAccess { orders(first: 1, sortKey: UPDATED_AT) { nodes { id } } }", 3
)

LOCATIONS = Document(
    "Locations",
    """query Locations {
  locations(first: 50, includeInactive: true) {
    nodes { id legacyResourceId name isActive fulfillsOnlineOrders isFulfillmentService }
  }
}""",
    9,
)

_VARIANT = """id title displayName sku barcode inventoryPolicy requiresComponents
      inventoryItem {
        id tracked duplicateSkuCount
        inventoryLevel(locationId: $location, includeInactive: true) { isActive quantities(names: ["available"]) { name quantity } }
      }
      product { id title status }"""  # noqa: E501

LISTINGS = Document(
    "Listings",
    """query Listings($first: Int!, $after: String, $location: ID!) {
  productVariants(first: $first, after: $after, sortKey: ID) {
    pageInfo { hasNextPage endCursor }
    nodes {
      """
    + _VARIANT
    + """
    }
  }
}""",
    57,
)

LISTING_COUNT = Document(
    "ListingCount",
    "query ListingCount { productVariantsCount(limit: null) { count precision } }",
    10,
)

BULK_RUN = Document(
    "BulkRun",
    """mutation BulkRun($query: String!) {
  bulkOperationRunQuery(query: $query) { bulkOperation { id status } userErrors { code field message } }
}""",  # noqa: E501
    10,
)

BULK_STATUS = Document(
    "BulkStatus",
    """query BulkStatus($id: ID!) {
  bulkOperation(id: $id) { id status errorCode objectCount fileSize url partialDataUrl completedAt }
}""",
    1,
)

LEVELS = Document(
    "Levels",
    """query Levels($ids: [ID!]!, $location: ID!) {
  nodes(ids: $ids) {
    ... on InventoryItem {
      id tracked sku
      inventoryLevel(locationId: $location, includeInactive: true) {
        id isActive
        quantities(names: ["available", "on_hand", "committed"]) { name quantity updatedAt }
      }
    }
  }
}""",
    3,
)

SET_STOCK = Document(
    "SetStock",
    """mutation SetStock($input: InventorySetQuantitiesInput!, $key: String!) {
  inventorySetQuantities(input: $input) @idempotent(key: $key) {
    inventoryAdjustmentGroup {
      id createdAt reason referenceDocumentUri
      changes { name delta quantityAfterChange item { id } location { id } }
    }
    userErrors { code field message }
  }
}""",
    13,
)

ACTIVATE = Document(
    "Activate",
    """mutation Activate($item: ID!, $location: ID!, $available: Int!, $key: String!) {
  inventoryActivate(inventoryItemId: $item, locationId: $location, available: $available) @idempotent(key: $key) {
    inventoryLevel { id isActive }
    userErrors { field message }
  }
}""",  # noqa: E501
    10,
)

TRACK = Document(
    "Track",
    """mutation Track($item: ID!) {
  inventoryItemUpdate(id: $item, input: { tracked: true }) {
    inventoryItem { id tracked }
    userErrors { field message }
  }
}""",
    10,
)

_LINE = """
fragment Line on LineItem {
  id sku name quantity currentQuantity unfulfilledQuantity nonFulfillableQuantity requiresShipping
  variant { id inventoryItem { id tracked } }
}"""

_ORDER = (
    """
fragment Whole on Order {
  id legacyResourceId name createdAt updatedAt processedAt cancelledAt cancelReason closed closedAt test edited
  displayFulfillmentStatus displayFinancialStatus sourceName
  refunds(first: 50) {
    id createdAt
    refundLineItems(first: 50) { pageInfo { hasNextPage } nodes { quantity restockType lineItem { id } } }
  }
  lineItems(first: 100) { pageInfo { hasNextPage endCursor } nodes { ...Line } }
}"""  # noqa: E501
    + _LINE
)

ORDER_CHANGES = Document(
    "OrderChanges",
    """query OrderChanges($first: Int!, $after: String, $q: String!) {
  orders(first: $first, after: $after, query: $q, sortKey: UPDATED_AT) {
    pageInfo { hasNextPage endCursor }
    nodes { id updatedAt }
  }
}""",
    13,
)

ORDERS_BY_ID = Document(
    "OrdersById", "query OrdersById($ids: [ID!]!) { nodes(ids: $ids) { ...Whole } }" + _ORDER, 47
)

ORDER_LINES = Document(
    "OrderLines",
    """query OrderLines($order: ID!, $first: Int!, $after: String) {
  order(id: $order) {
    id
    lineItems(first: $first, after: $after) { pageInfo { hasNextPage endCursor } nodes { ...Line } }
  }
}"""
    + _LINE,
    36,
)

DOCUMENTS = (
    SHOP,
    ORDER_ACCESS,
    LOCATIONS,
    LISTINGS,
    LISTING_COUNT,
    BULK_RUN,
    BULK_STATUS,
    LEVELS,
    SET_STOCK,
    ACTIVATE,
    TRACK,
    ORDER_CHANGES,
    ORDERS_BY_ID,
    ORDER_LINES,
)
"""All of them, for the test that validates each against the schema."""


def bulk_listings(location: str) -> str:
    """Return the query of a bulk operation that reads the catalogue. Bulk queries take no
    variables, so the location is in the text; it was checked to be a plain global id."""
    return (
        "{ productVariants { edges { node { "
        + _VARIANT.replace("$location", f'"{location}"')
        + " } } } }"
    )
