"""Furnished scenes: what a type of room is, and how it is filled."""
