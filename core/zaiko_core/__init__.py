"""The engine of zaiko."""
