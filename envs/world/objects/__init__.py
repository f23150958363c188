"""Objects to touch and to look at: household categories, and files of others."""
