"""Running fits: in this process or others, several at a time, kept in a checkpoint."""
