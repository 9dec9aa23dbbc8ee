"""Losses that systems add up."""
