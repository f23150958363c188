"""The command line. It imports everything, and nothing imports it."""
