"""The training data of a network: input checks, batches and random warping."""
