"""Models as plain data, and back, with everything checked."""
