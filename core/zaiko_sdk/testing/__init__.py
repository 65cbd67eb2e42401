"""What a connector's simulator and tests are built from. Needs the extra `zaiko[simulators]`."""
