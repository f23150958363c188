"""Where the files lie that a data set was made with, so that its environment can be made again.

A specification names files by their content alone: objects, textures, a robot. Where they lay stands in `files.json`
beside it, which is no part of the data: whoever moves them may write there where they are now, absolute or relative to
the data set's directory. They are used only if their content is what it was.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from embodied_ssl.datasets.collect.settings import contents
from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.store.files import write_atomically

PLACES = "files.json"
_FILES = {"objects": "folder of objects", "textures": "folder of textures", "body": "robot"}
_DIGEST = "sha256:"


def write_places(folder: Path, settings: Mapping[str, Any], digests: Mapping[str, str]) -> None:
    """Write where the files lie that settings of an environment name; nothing where they name none.

    digests: of the contents of those settings that do.
    """
    named = {name: Path(settings[name]).expanduser() for name in digests}
    places = {name: str(path.absolute()) if path.exists() else str(settings[name]) for name, path in named.items()}
    if places:
        write_atomically(folder / PLACES, [json.dumps(places, indent=1, sort_keys=True).encode()])


def settings_again(folder: Path, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of the environment that made a data set, its files found again.

    Args:
        folder: of the data set.
        settings: as its specification has them, with digests in the place of files.

    Raises DataError naming the file that is not there any more, or is another one now, and the remedy.
    """
    again = dict(settings)
    for name, what in _FILES.items():
        if str(digest := settings.get(name, "")).startswith(_DIGEST):
            again[name] = _found(folder, name, what, str(digest))
    return again


def _found(folder: Path, name: str, what: str, digest: str) -> str:
    """The place of files of this digest."""
    told = folder / PLACES
    remedy = f'write where it lies into {told}, as in {{"{name}": "/path/to/it"}}'
    place = _told(told).get(name)
    if place is None:
        raise DataError(
            f"{folder}: its environment needs the {what} that it was collected with ({digest}), and nothing says where "
            f"that lies; {remedy}"
        )
    beside = folder / Path(place).expanduser()
    place = str(beside) if beside.exists() else place
    try:
        found = contents({name: place}).get(name)
    except DataError as error:
        raise DataError(f"{folder}: its environment needs the {what} {place}: {error}; {remedy}") from error
    if found is None:
        raise DataError(f"{folder}: its environment needs the {what} {place}, which is not there; {remedy}")
    if found != digest:
        raise DataError(
            f"{folder}: its environment needs the {what} {place} as it was ({digest}), and its content is another one "
            f"now ({found}); put the old one back, or {remedy}"
        )
    return place


def _told(path: Path) -> dict[str, str]:
    try:
        told = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read as JSON ({error}); mend it, or delete it") from error
    if not isinstance(told, dict) or not all(isinstance(place, str) for place in told.values()):
        raise DataError(f"{path}: not the name of a setting and a path for each file; mend it, or delete it")
    return told
