"""emtui: the operator's console for DPhi Space's EM and for Grid Nodes.

Importing this package costs nothing: it only says which version it is.
"""

__version__ = "0.1.0"
