"""The asynchronous shell of runs: the scheduler, and what is said to platforms."""
