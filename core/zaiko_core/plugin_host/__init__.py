"""Loads plugins, asks them, and delivers events to them."""
