"""Furniture, one file a kind of place."""
