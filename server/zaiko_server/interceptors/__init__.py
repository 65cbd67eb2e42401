"""The interceptors of every call, outermost first: traces, access log, errors, draining,
authentication, deadline, validation, serialization. app.py puts them together (ADR 0021)."""
