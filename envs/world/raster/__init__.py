"""The rasteriser: from triangles to images, depth and masks. `drawing` has the stages, `buffers` what they hand on."""
