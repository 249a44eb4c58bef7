"""What the shop's numbers say."""
