"""The EM API's calls on the wire, one at a time for everybody."""
