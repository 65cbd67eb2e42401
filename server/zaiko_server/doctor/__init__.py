"""What `zaiko doctor` looks at: each check is a function from what was read to findings, so that a
test can make it fail."""
