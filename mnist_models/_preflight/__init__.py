"""Warnings before the first fit, of what would make its results misleading."""
