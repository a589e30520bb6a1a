"""The server described: the OpenAPI document, and the page for people."""
