"""Probes: what a network's embeddings hold, and whether its parts are disentangled."""
