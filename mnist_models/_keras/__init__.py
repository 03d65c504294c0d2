"""All that touches keras and tensorflow, and only inside functions."""
