"""What furniture and buildings wear: finishes drawn from a generator, each from a finite stock of textures.

Every texture comes from `textures.texture` or `prints.printed` and is made once; flat colours are tiny textures.
"""

from functools import lru_cache

import numpy as np

from embodied_ssl.envs.world.assets import Texture
from embodied_ssl.envs.world.geometry.joinery import Skin
from embodied_ssl.envs.world.textures.families import texture
from embodied_ssl.envs.world.textures.prints import VARIANTS, printed

PALETTE = (  # sRGB; lacquers, cloths and plastics as people buy them
    (235, 235, 230), (245, 240, 225), (205, 205, 205), (120, 125, 130), (60, 62, 66), (35, 36, 40),
    (170, 60, 50), (200, 110, 60), (215, 170, 80), (120, 145, 95), (70, 105, 85), (85, 130, 140),
    (70, 100, 150), (45, 60, 95), (120, 85, 120), (190, 140, 130), (150, 110, 80), (95, 70, 55),
)  # fmt: skip


@lru_cache(maxsize=512)
def flat(red: int, green: int, blue: int) -> Texture:
    """A texture of one colour, sRGB."""
    return Texture(np.full((4, 4, 3), (red, green, blue), np.uint8))


@lru_cache(maxsize=4096)
def _skin(surface: Texture, gloss: float, emission: float, tile: float, casts_shadow: bool) -> Skin:
    return Skin(surface, gloss, emission, tile, casts_shadow)


def plain(red: int, green: int, blue: int, gloss: float = 0.1, emission: float = 0.0) -> Skin:
    """One colour, sRGB."""
    return _skin(flat(red, green, blue), gloss, emission, 1.0, True)


LOUD = ("rug", "stripes", "plaid", "books", "screen", "leather", "cardboard", "hazard")  # strong colours suit these


@lru_cache(maxsize=64)
def _calm_variants(name: str) -> tuple[int, ...]:
    """The variants of a family that one would furnish with: without the third of the loudest mean colours."""
    means = [texture(name, variant).image.mean(axis=(0, 1)) for variant in range(VARIANTS)]
    order = np.argsort([np.ptp(mean) for mean in means], kind="stable")
    return tuple(sorted(order[: 2 * VARIANTS // 3].tolist()))


def family(name: str, rng: np.random.Generator, tile: float = 1.0, gloss: float = 0.05, emission: float = 0.0) -> Skin:
    """A variant of a texture family, `tile` m to a repeat."""
    variants = range(VARIANTS) if name in LOUD else _calm_variants(name)
    return _skin(texture(name, variants[int(rng.integers(len(variants)))]), gloss, emission, tile, True)


def print_of(name: str, rng: np.random.Generator, tile: float = 1.0, gloss: float = 0.0, emission: float = 0.0) -> Skin:
    """A variant of a print, `tile` m to a repeat."""
    return _skin(printed(name, int(rng.integers(VARIANTS))), gloss, emission, tile, True)


def lacquer(rng: np.random.Generator, gloss: float = 0.15) -> Skin:
    """Any colour of the palette."""
    return plain(*PALETTE[rng.integers(len(PALETTE))], gloss=gloss)


def pale(rng: np.random.Generator) -> Skin:
    """White or nearly."""
    return plain(*PALETTE[rng.integers(3)], gloss=0.2)


def vivid(rng: np.random.Generator) -> Skin:
    """A strong colour."""
    return plain(*PALETTE[rng.integers(6, 16)], gloss=0.15)


@lru_cache(maxsize=256)
def _softened(name: str, variant: int) -> Texture:
    """A texture with half its contrast: grain made for a spoon is too bold on a wardrobe."""
    image = texture(name, variant).image.astype(np.float32)
    mean = image.mean(axis=(0, 1))
    return Texture(np.round(mean + 0.5 * (image - mean)).astype(np.uint8))


def wood(rng: np.random.Generator) -> Skin:
    """Boards."""
    name = "grain" if rng.random() < 0.65 else "laminate"
    variants = _calm_variants(name)
    return _skin(_softened(name, variants[int(rng.integers(len(variants)))]), 0.08, 0.0, 1.0, True)


def board(rng: np.random.Generator) -> Skin:
    """What cupboards are made of: boards, white or coloured lacquer."""
    kind = rng.random()
    return wood(rng) if kind < 0.6 else pale(rng) if kind < 0.85 else lacquer(rng)


def cloth(rng: np.random.Generator, tile: float = 0.3) -> Skin:
    """Upholstery, covers, curtains."""
    kind = rng.random()
    if kind < 0.3:
        return lacquer(rng, 0.0)
    return family(("cloth", "cloth", "plaid", "stripes", "leather")[rng.integers(5)], rng, tile, 0.0)


def steel(rng: np.random.Generator) -> Skin:
    """Bare, black or grey metal."""
    kind = rng.random()
    if kind < 0.3:
        return family("brushed", rng, 0.5, 0.4)
    return plain(*((45, 46, 50) if kind < 0.65 else (150, 153, 158)), gloss=0.3)


def chrome() -> Skin:
    """Bright plated metal, glossy."""
    return plain(190, 194, 200, gloss=0.6)


def dark() -> Skin:
    """Near-black plastic: screens, tyres, handles."""
    return plain(30, 31, 34, gloss=0.2)


def white() -> Skin:
    """White enamel: kitchen and bathroom appliances."""
    return plain(240, 240, 238, gloss=0.3)


def lamp_shade(rng: np.random.Generator) -> Skin:
    """A lit shade."""
    red, green, blue = ((255, 244, 220), (255, 230, 190), (250, 250, 250))[rng.integers(3)]
    return _skin(flat(red, green, blue), 0.0, 0.7, 1.0, False)


def outlook(rng: np.random.Generator) -> Skin:
    """The bright view behind a window pane."""
    return print_of("window_view", rng, emission=0.35)
