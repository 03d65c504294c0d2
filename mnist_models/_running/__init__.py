"""Many fits made: anywhere, at once, with what is finished kept."""
