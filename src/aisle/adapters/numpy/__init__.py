"""Encoders that need numpy only."""
