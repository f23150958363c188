"""One self-contained page of what was learned, written from result files alone."""
