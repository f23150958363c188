"""Procedural textures by family and variant, and images from a folder in their stead. All tile."""

import difflib
from collections.abc import Callable, Iterable
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from embodied_ssl.envs.world.assets import Texture
from embodied_ssl.envs.world.textures import fittings as as_fittings
from embodied_ssl.envs.world.textures import objects as on_objects
from embodied_ssl.envs.world.textures import rooms as in_rooms
from embodied_ssl.envs.world.textures.patterns import Picture

Family = Callable[[np.random.Generator, int], Picture]

FAMILIES: dict[str, Family] = {
    family.__name__: family
    for family in (
        # of objects, by material: wood, metal, ceramic, plastic, cardboard, rubber, foam, plush
        *(on_objects.grain, on_objects.stained_wood, on_objects.laminate),
        *(on_objects.brushed, on_objects.anodized, on_objects.hammered),
        *(on_objects.glaze_bands, on_objects.glaze_motifs, on_objects.glaze_speckle, on_objects.crackle),
        *(on_objects.plastic, on_objects.plastic_stripes, on_objects.plastic_print),
        *(on_objects.cardboard, on_objects.corrugated),
        *(on_objects.rubber, on_objects.tread),
        *(on_objects.pores, on_objects.beads),
        *(on_objects.fur, on_objects.fur_spots, on_objects.terry),
        *(on_objects.bristles, on_objects.dial, on_objects.beak),
        # of floors, walls and roofs
        *(in_rooms.planks, in_rooms.parquet, in_rooms.brick, in_rooms.tile, in_rooms.subway_tile, in_rooms.mosaic),
        *(in_rooms.marble, in_rooms.terrazzo, in_rooms.plaster, in_rooms.wallpaper, in_rooms.corrugated_sheet),
        *(in_rooms.roof_tiles, as_fittings.paint, as_fittings.glass, as_fittings.hazard),
        # of the ground and of plants
        *(in_rooms.concrete, in_rooms.asphalt, in_rooms.paving, in_rooms.gravel, in_rooms.soil, in_rooms.sand),
        *(in_rooms.grass, in_rooms.leaf, in_rooms.bark, in_rooms.stone),
        # of cloth, leather and paper
        *(
            as_fittings.cloth,
            as_fittings.plaid,
            as_fittings.stripes,
            as_fittings.carpet,
            as_fittings.rug,
            as_fittings.leather,
        ),
        *(
            as_fittings.books,
            as_fittings.book_cover,
            as_fittings.page,
            as_fittings.painting,
            as_fittings.screen,
            as_fittings.chalkboard,
        ),
    )
}

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff")
SIDES = tuple(2**power for power in range(11))


@lru_cache(maxsize=2048)
def texture(family: str, variant: int, size: int = 128) -> Texture:
    """A variant of a procedural family; the same arguments give the identical object.

    family: a key of FAMILIES. variant: 0 and up, each with its own colours and scale. size: texels, a power of two
    up to 1024. Raises ValueError, with the nearest family's name, for what is none of these.
    """
    if family not in FAMILIES:
        raise ValueError(f"there is no texture family {family!r}{nearest(family, FAMILIES)}")
    if variant < 0:
        raise ValueError(f"a texture's variant is 0 or more, not {variant}")
    _check_side(size)
    rng = np.random.default_rng([*family.encode(), variant])
    return Texture(_to_bytes(FAMILIES[family](rng, size)))


def image_textures(folder: str | Path, size: int = 128) -> tuple[Texture, ...]:
    """The images of a folder, by name, each cut to its middle square and scaled: a family of your own.

    They tile as well as the images do. size: texels, a power of two. Raises ValueError naming the folder or the file
    that cannot be read.
    """
    _check_side(size)
    folder = Path(folder).expanduser()
    if not folder.is_dir():
        raise ValueError(f"{folder} is not a folder of pictures")
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES)
    if not paths:
        raise ValueError(f"{folder} holds no image ({', '.join(IMAGE_SUFFIXES)})")
    return _read_textures(tuple((path, stamp(path)) for path in paths), size)


def stamp(path: Path) -> tuple[int, int]:
    """When a file was changed last and its bytes: what was read of it is kept for as long as these are the same."""
    state = path.stat()
    return state.st_mtime_ns, state.st_size


def nearest(name: str, names: Iterable[str]) -> str:
    """The end of an error about a name: the nearest one that exists, or else all of them."""
    known = sorted(names)
    close = difflib.get_close_matches(name, known, 1, 0.5)
    listed = ", ".join(known[:60]) + (" ..." if len(known) > 60 else "")
    return f"; did you mean {close[0]!r}?" if close else f"; there are {listed}"


@lru_cache(maxsize=16)
def _read_textures(files: tuple[tuple[Path, tuple[int, int]], ...], size: int) -> tuple[Texture, ...]:
    return tuple(_read_texture(path, size) for path, _ in files)


def _read_texture(path: Path, size: int) -> Texture:
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise ValueError(f"{path} is not an image that can be read")
    height, width = image.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    square = image[top : top + side, left : left + side, ::-1]
    scaled = cv2.resize(square, (size, size), interpolation=cv2.INTER_AREA)
    return Texture(np.ascontiguousarray(scaled[::-1]))


def _check_side(size: int) -> None:
    if size not in SIDES:
        raise ValueError(f"a texture's side is a power of two up to {SIDES[-1]}, not {size}")


def _to_bytes(picture: Picture) -> np.ndarray:
    return np.ascontiguousarray(np.clip(picture * 255 + 0.5, 0, 255).astype(np.uint8))
