"""The discovery engine of an online shop."""
