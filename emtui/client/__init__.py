"""The EM over HTTP, and the Grid Node over Socket.IO and HTTP."""
