"""Pressing: closed fingers press a button."""

from embodied_ssl.datasets.kinds.demonstrations import demonstrations

KIND = demonstrations("press", "Press", "Closed fingers press a button to the end.")
