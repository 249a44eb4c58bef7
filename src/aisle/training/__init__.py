"""Learning put together: what a training reads, fits, measures and promotes."""
