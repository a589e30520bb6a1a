"""The docker engine: real images, built, loaded and run by a Docker Engine (Docker's, or Podman's compatible one).

`daemon` speaks with it, `places` finds it, `labels` and `names` keep what is ours apart from everything else in it.
"""
