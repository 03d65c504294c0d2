"""Trees grown by counting."""
