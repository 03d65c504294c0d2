"""Where digits come from: files, downloads, the cache, all checked."""
