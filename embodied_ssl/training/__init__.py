"""Training: the loop, what it optimises with, and what a run leaves behind."""
