"""A Shopify shop as an HTTP server: OAuth, GraphQL that is parsed and executed against a schema,
files of bulk operations."""

from zaiko_shopify.simulator.simulator import ShopifySimulator

__all__ = ["ShopifySimulator"]
