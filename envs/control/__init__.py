"""Closed-loop control on a table, with goals: reach, push, pick and place, stack, press, and who can do them."""
