"""Who may call (ADR 0015): the permission of each method, the callers' tokens, and TLS."""
