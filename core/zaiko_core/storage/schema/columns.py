"""What the tables are made of: the kinds of their columns, and the names of their constraints."""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, BigInteger, Column, Integer, MetaData, Text

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "pk": "pk_%(table_name)s",
    }
)

JSON_VALUE = JSON(none_as_null=True)
UNITS = BigInteger().with_variant(Integer, "sqlite")
"""Units. What one caller gives is bounded, sums of it are not. An INTEGER of SQLite has 64 bits."""


def string(name: str) -> Column[str]:
    """Empty where nothing is known."""
    return Column(name, Text, nullable=False, server_default="")


def id_(name: str) -> Column[str]:
    """Always given."""
    return Column(name, Text, nullable=False)


def units(name: str, default: int = 0) -> Column[int]:
    """Units, to 2⁶³ − 1."""
    return Column(name, UNITS, nullable=False, server_default=str(default))


def count(name: str, default: int = 0) -> Column[int]:
    """Times, to 2³¹ − 1."""
    return Column(name, Integer, nullable=False, server_default=str(default))


def time(name: str) -> Column[int]:
    """µs since 1970; 0 = never."""
    return Column(name, BigInteger, nullable=False, server_default="0")


def maybe_time(name: str) -> Column[int]:
    """µs since 1970, or none."""
    return Column(name, BigInteger)


def terms(name: str) -> Column[Any]:
    """[[label, units], …]"""
    return Column(name, JSON_VALUE, nullable=False, server_default="[]")
