"""The request path: what a shopper waits for, and what is kept in memory so that the wait is short."""
