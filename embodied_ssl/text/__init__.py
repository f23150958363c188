"""Text: word vectors, masked words, and the encoder that CLIP starts from."""
