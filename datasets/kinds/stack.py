"""Stacking: a gripper puts one block onto another."""

from embodied_ssl.datasets.kinds.demonstrations import demonstrations

KIND = demonstrations("stack", "Stack", "A gripper stacks one block onto another, lets go and withdraws.")
