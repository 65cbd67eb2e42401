"""Runs, checks and webhooks of shops, where the engine meets its plugins."""
