"""Stores that are plain folders and files."""
