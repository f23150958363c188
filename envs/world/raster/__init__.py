"""The rasteriser: from triangles to images, depth and masks."""
