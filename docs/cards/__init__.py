"""Cards: pages that are made from signatures, docstrings and declarations, so that nothing is said twice."""
