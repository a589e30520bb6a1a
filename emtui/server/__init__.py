"""Local mode on the wire: the EM over HTTP, the Grid Node over Socket.IO and HTTP, for a team and for CI."""
