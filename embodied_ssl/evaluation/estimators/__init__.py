"""What protocols fit and count with: classifiers, neighbours, affine maps, fine-tuning."""
