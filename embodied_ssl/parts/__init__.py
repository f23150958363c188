"""What methods share: heads, losses, views, motions, positives."""
