"""What may answer: similar, together, trending, for you, suggestions."""
