"""The gRPC face of zaiko, and its command line."""
