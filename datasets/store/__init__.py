"""HDF5 on disk: shards, their manifest, and the directory that holds them."""
