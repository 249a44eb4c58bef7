"""In what order."""
