"""How fast zaiko is, each figure beside a limit of the same machine that was measured in the same
run."""
