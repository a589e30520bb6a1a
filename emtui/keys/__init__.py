"""Which key does what, and what the keys are called."""
