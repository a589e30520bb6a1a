"""HTTP, signed and bounded: addresses, connections, answers, sign-in. Nothing here knows the EM or a Grid Node."""
