"""Picking and placing: a gripper brings an object to a place."""

from embodied_ssl.datasets.kinds.demonstrations import demonstrations

KIND = demonstrations("pick_place", "PickPlace", "A gripper picks an object and brings it to a place.")
