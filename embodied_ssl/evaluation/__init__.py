"""Measures of encoders: protocols see features or an encoder, and no method; each is a file of `protocols/`."""
