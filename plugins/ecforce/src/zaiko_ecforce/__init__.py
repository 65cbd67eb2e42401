"""zaiko connector for ecforce (SUPER STUDIO), by its admin API v2."""

__version__ = "0.1.0"
