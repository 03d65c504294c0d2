"""Reading images and labels from files, downloads and the cache, all of it checked."""
