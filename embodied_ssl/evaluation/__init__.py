"""Measures of encoders: one file for each protocol, which sees features or an encoder, and no method."""
