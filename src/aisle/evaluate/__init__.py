"""Measuring: what a model or a source is worth on traffic it has not seen."""
