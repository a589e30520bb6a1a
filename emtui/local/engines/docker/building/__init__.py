"""Building with a Docker Engine.

`build` drives; `rewrite`, `context_tar` and `upload` make what goes over; the rest understands what comes back.
"""
