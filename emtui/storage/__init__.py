"""What every database and every locked folder have in common."""
