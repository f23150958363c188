"""The formats that data sets are exported to, by name."""

from importlib import import_module

from embodied_ssl.datasets.errors import unknown_name
from embodied_ssl.datasets.exports.target import Target

FORMATS = {
    "lerobot": "LeRobot",
    "robomimic": "Robomimic",
    "minari": "Minari",
    "rerun": "Rerun",
    "webdataset": "WebDataset",
    "numpy": "Numpy",
}
"""The class of each, in the file of its name."""


def format_class(name: str) -> type[Target]:
    """The class that writes a format. Raises DataError where there is none of that name."""
    if name not in FORMATS:
        raise unknown_name("format", name, FORMATS)
    found: type[Target] = getattr(import_module(f"embodied_ssl.datasets.exports.{name}"), FORMATS[name])
    return found
