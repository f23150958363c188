"""What is logged, and how it is read."""

if __name__ != "embodied_ssl.datasets":
    raise ImportError("embodied_ssl's data sets are imported as `embodied_ssl.datasets`")
