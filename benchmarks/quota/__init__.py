"""Measure whether a connector uses all of its platform's quota, and no more."""
