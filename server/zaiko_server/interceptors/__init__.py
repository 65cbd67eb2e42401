"""What surrounds every call, outermost first: access log, errors, (authentication, limits,)
deadline, validation."""
