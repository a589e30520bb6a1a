"""The sandbox engine: commands really run, as processes in namespaces, on the machine's own userland.

What runs a pod (`supervisor`, `step`, `contain` and all that they import) uses the standard library only, so that it
starts in a few hundredths of a second and goes on when emtui has ended.
"""
