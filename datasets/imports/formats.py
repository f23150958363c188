"""The formats that recordings of others are imported from, by name."""

from importlib import import_module

from embodied_ssl.datasets.errors import unknown_name
from embodied_ssl.datasets.imports.source import Source

FORMATS = {
    "mp4": "Mp4",
    "kitti": "Kitti",
    "lerobot": "LeRobot",
    "robomimic": "Robomimic",
    "minari": "Minari",
    "hdf5": "Hdf5",
}
"""The class of each, in the file of its name."""


def format_class(name: str) -> type[Source]:
    """The class that reads a format. Raises DataError where there is none of that name."""
    if name not in FORMATS:
        raise unknown_name("format", name, FORMATS)
    found: type[Source] = getattr(import_module(f"embodied_ssl.datasets.imports.{name}"), FORMATS[name])
    return found
