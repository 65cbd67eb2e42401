"""The zaiko connector for Example Shop. `plugin` registers it; start reading at `connector`."""

__version__ = "0.1.0"
