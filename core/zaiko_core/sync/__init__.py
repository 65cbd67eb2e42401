"""The asynchronous shell: scheduler, cycle and push."""
