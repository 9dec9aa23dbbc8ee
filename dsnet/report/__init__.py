"""Pages, tables and figures made of the store."""
