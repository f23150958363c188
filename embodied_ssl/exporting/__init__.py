"""Encoders of runs for others: one file a format, and a card that says what they are and how they came to be."""
