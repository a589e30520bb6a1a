"""One request and what is around it: its parts, its answer, the gate, the log. Nothing here knows a call of the API."""
