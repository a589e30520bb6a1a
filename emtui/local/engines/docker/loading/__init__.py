"""Loading an image of a foreign tar: `archive` makes the tar that goes over, with the one image that was asked for."""
