"""What emtui's exit codes mean."""

from enum import IntEnum


class Exit(IntEnum):
    """Exit codes, for scripts: they do not change."""

    OK = 0
    USAGE = 2
    """An option is unknown, or its value cannot be read."""
    CONFIG = 3
    """What was asked for cannot be had so: a directory, an address, a file; the message has the remedy."""
