"""Procedural textures, and the finishes made of them."""
