"""Commands with more to say than `cli.py` has room for, and what all of them share."""
