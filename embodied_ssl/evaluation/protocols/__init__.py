"""Protocols: each file measures features in one way."""
