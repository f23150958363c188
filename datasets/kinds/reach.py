"""Reaching: the tip goes to a place above the table."""

from embodied_ssl.datasets.kinds.demonstrations import demonstrations

KIND = demonstrations("reach", "Reach", "A gripper brings its tip to a place above the table.")
