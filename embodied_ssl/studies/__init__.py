"""Experiments as declarations."""
