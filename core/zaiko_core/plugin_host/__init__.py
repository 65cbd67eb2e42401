"""Loads connectors and tells which could not be loaded."""
