"""Reading data sets: rows, streams, batches, captions."""
