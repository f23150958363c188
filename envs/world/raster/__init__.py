"""The rasteriser: from triangles to images, depth and masks; `kernels` has its compiled code."""
