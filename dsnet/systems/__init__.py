"""A file a system: its parts put together, its losses, its training step."""
