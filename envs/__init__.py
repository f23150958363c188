"""Bodies in simulated worlds, as Gymnasium environments."""

if __name__ != "embodied_ssl.envs":
    raise ImportError("embodied_ssl's environments are imported as `embodied_ssl.envs`")

import gymnasium

_ENTRY_POINTS = {
    "embodied_ssl/Roam-v0": "embodied_ssl.envs.roam:RoamEnv",
    "embodied_ssl/Orbit-v0": "embodied_ssl.envs.orbit:OrbitEnv",
    "embodied_ssl/Grasp-v0": "embodied_ssl.envs.grasp:GraspEnv",
    "embodied_ssl/Push-v0": "embodied_ssl.envs.push:PushEnv",
    "embodied_ssl/Poke-v0": "embodied_ssl.envs.poke:PokeEnv",
}


def register() -> None:
    """Make the environments known to `gymnasium.make`; doing it twice is harmless."""
    for name, entry_point in _ENTRY_POINTS.items():
        if name not in gymnasium.registry:
            gymnasium.register(name, entry_point=entry_point)


register()
