"""Meshes, and how solids and furniture are modelled from them."""
