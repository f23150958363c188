"""Bodies in simulated worlds, as Gymnasium environments."""

if __name__ != "embodied_ssl.envs":
    raise ImportError("embodied_ssl's environments are imported as `embodied_ssl.envs`")
