"""How things look on the wire, both ways: what `emtui.server` writes, `emtui.client` reads, and the reverse."""
