"""Dense retrieval on faiss."""
