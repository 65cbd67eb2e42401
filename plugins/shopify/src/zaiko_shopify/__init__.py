"""The zaiko connector for Shopify (GraphQL Admin API)."""

__version__ = "0.1.0"
