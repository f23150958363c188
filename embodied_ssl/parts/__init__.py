"""What methods share: heads, losses, crops, augmentations, colours, motions, interactions, positives, panels."""
