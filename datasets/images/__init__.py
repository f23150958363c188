"""Images that are not ours: folders, archives, IDX files, and labelled sets of them."""
