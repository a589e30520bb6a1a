"""Who may use the server: accounts, passwords, tokens, sign-in."""
