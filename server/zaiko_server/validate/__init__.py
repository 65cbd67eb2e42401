"""Request validation: rules, the table of which field has which, and what interprets both over
descriptors."""
