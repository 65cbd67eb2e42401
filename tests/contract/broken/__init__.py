"""Connectors that are broken on purpose, one for each rule of the contract, each in a way that
somebody would write."""

from contract.broken import description, hostile, inventory, listings, notifications, orders, shop
from contract.broken.delegating import CAS, CHANGES, MUTANTS, Delegating, Mutant

__all__ = [
    "CAS",
    "CHANGES",
    "MUTANTS",
    "Delegating",
    "Mutant",
    "description",
    "hostile",
    "inventory",
    "listings",
    "notifications",
    "orders",
    "shop",
]
