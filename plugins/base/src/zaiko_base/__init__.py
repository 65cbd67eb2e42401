"""The zaiko connector for BASE. What is registered is in `plugin`, the rest is read from
`connector`."""

__version__ = "0.1.0"
