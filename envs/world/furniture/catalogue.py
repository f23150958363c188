"""All pieces of furniture by kind and instance: what stands in scenes, from chairs to forklifts."""

import difflib
from functools import lru_cache

import numpy as np

from embodied_ssl.envs.world.furniture.decor import DECOR
from embodied_ssl.envs.world.furniture.fittings import FITTINGS
from embodied_ssl.envs.world.furniture.home import HOME
from embodied_ssl.envs.world.furniture.kitchen_bath import KITCHEN_BATH
from embodied_ssl.envs.world.furniture.office import OFFICE
from embodied_ssl.envs.world.furniture.outdoor import OUTDOOR
from embodied_ssl.envs.world.furniture.public import PUBLIC
from embodied_ssl.envs.world.furniture.trade import TRADE
from embodied_ssl.envs.world.furniture.vehicles import VEHICLES
from embodied_ssl.envs.world.geometry.joinery import Joiner, Maker, Piece

FURNITURE: dict[str, Maker] = {
    **HOME,
    **DECOR,
    **KITCHEN_BATH,
    **FITTINGS,
    **OFFICE,
    **TRADE,
    **PUBLIC,
    **OUTDOOR,
    **VEHICLES,
}
STOCK = 16  # instances of each kind that scenes draw from


@lru_cache(maxsize=8192)
def make_furniture(kind: str, instance: int) -> Piece:
    """A piece of furniture; the same arguments give the identical object.

    kind: a key of FURNITURE. instance: 0 and up; each has its own sizes, style and finish. Raises ValueError, with the
    nearest kind's name, for an unknown one.
    """
    if kind not in FURNITURE:
        close = difflib.get_close_matches(kind, FURNITURE, 1, 0.5)
        hint = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(sorted(FURNITURE))}"
        raise ValueError(f"there is no furniture {kind!r}; {hint}")
    if instance < 0:
        raise ValueError(f"an instance of furniture is 0 or more, not {instance}")
    joiner = Joiner()
    material = FURNITURE[kind](joiner, np.random.default_rng([*kind.encode(), instance]))
    return joiner.piece(kind, instance, material)
