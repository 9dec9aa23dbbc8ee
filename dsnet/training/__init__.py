"""Frame store and batches, loop, checkpoint, inference."""
