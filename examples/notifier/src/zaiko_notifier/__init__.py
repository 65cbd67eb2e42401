"""A plugin of zaiko that only observes: it posts a signed webhook when a shop needs a person."""
