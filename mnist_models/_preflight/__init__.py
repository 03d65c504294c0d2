"""Warnings of what would mislead, before the first fit."""
