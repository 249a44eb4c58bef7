"""What is learnt from the log."""
