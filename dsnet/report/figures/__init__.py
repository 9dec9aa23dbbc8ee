"""A file a figure."""
