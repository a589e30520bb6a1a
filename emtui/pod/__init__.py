"""A pod as fields and as words: its limits, what is asked of it, how it went, waiting for its end."""
