"""The docker engine: real images, built, loaded and run by a Docker Engine (Docker's, or Podman's compatible one).

`places` finds one and `probe` tries it; `daemon` speaks with it; `names`, `lookup` and `leftovers` keep what is ours
apart from everything else in it; `building`, `loading` and `pods` are what it is there for.
"""
