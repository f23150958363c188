"""Data sets for the tools of others: one format a file."""
