"""Validation of requests: the rules, the table of which field has which (read from the protos), and
the check of a request against it."""
