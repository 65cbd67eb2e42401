"""The servicers: one module per service of proto/zaiko/v1. A method reads the request, calls a use
case, and shows its outcome."""
