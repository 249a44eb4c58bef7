"""Products and words as vectors: encoders made ready to serve, texts to encode, vectors kept."""
