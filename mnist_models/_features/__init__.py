"""Rows of pixels as images, and the compiled loops over them."""
