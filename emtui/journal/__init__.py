"""What was asked, when, by whom, and how it ended."""
