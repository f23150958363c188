"""Recordings of others, as data of the kind `video`: one format a file."""
