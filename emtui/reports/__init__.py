"""A rehearsal's report, made of the journal."""
