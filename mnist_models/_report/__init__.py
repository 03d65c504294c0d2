"""Rendering: plain data in, text or a picture out. Nothing here knows the rest of the library."""
