"""The ports of the engine on SQLAlchemy Core."""
