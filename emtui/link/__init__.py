"""The way to one endpoint: the queue, how each command is done, and how it ended."""
