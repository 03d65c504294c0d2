"""Rendering: plain data in, text or a plot out. Nothing here knows the rest of the library."""
