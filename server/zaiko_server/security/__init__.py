"""Who may call (docs/adr/0015): which method needs what, who has a token, what protects the
wire."""
