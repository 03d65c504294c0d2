"""What a network trains on: rows checked, in batches, bent at random."""
