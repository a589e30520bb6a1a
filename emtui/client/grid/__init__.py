"""The Grid Node over Socket.IO and HTTP."""
