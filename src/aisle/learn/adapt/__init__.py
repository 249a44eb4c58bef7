"""Adaptation: a pretrained model becomes the shop's own."""
