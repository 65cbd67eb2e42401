"""The speed of zaiko. Each figure is compared with a limit of the same machine, measured in the
same run."""
