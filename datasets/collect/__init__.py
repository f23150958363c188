"""From a specification to a data set; the only importer of environments."""
