"""Scripted behaviour, one file a family of environments."""
