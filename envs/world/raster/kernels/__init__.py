"""Compiled code of the rasteriser: `drawing` has the stages, `buffers` what they hand on."""
