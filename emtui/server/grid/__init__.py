"""The Grid Node API on the wire: over Socket.IO and over HTTP."""
