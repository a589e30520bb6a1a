"""The documentation, executed: see `blocks` for what a page may say about its blocks."""
