"""Decision trees grown by counting instead of sorting."""
