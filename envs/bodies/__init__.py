"""What moves and touches."""
