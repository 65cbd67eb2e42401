"""The zaiko connector for ecforce (SUPER STUDIO), through its admin API v2."""

__version__ = "0.1.0"
