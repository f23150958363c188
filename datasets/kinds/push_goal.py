"""Pushing to a goal: closed fingers push an object to a place on the table."""

from embodied_ssl.datasets.kinds.demonstrations import demonstrations

KIND = demonstrations("push_goal", "PushGoal", "Closed fingers push an object to a place on the table.")
