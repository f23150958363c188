"""What files and folders are by their content, wherever they lie: a digest of bytes, and of what they refer to."""

import hashlib
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.store.files import file_sha256

_DEEPEST = 8  # files that refer to files that refer to files
_REFERENCES = {
    ".obj": re.compile(rb"^\s*mtllib\s+(.+?)\s*$", re.MULTILINE),
    ".mtl": re.compile(rb"^\s*(?:map_\w+|bump|disp|decal|norm)\s+(?:.*\s)?(\S+)\s*$", re.MULTILINE | re.IGNORECASE),
    ".urdf": re.compile(rb"filename\s*=\s*[\"']([^\"']+)[\"']"),
    ".gltf": re.compile(rb"\"uri\"\s*:\s*\"(?!data:)([^\"]+)\""),
}


def folder_digest(folder: Path) -> str:
    """`sha256:…` of the names and bytes of all files of a folder and of its folders, hidden ones left out.

    Files that lie elsewhere count where one in the folder names them: by `mtllib` (.obj), `map_…` (.mtl), `filename`
    (.urdf) or `uri` (.gltf). Raises DataError naming the file that cannot be read.
    """
    try:
        lines = sorted(line for path in _visible(folder) for line in _lines(path, folder))
    except OSError as error:
        raise DataError(f"{error.filename}: cannot be read ({error.strerror}); all of {folder} counts") from error
    return f"sha256:{hashlib.sha256(chr(10).join(lines).encode(errors='surrogateescape')).hexdigest()[:32]}"


def files_digest(files: Iterable[Path]) -> str:
    """`sha256:…` of the bytes of files, in their order, whatever they are called. Raises DataError for one missing."""
    try:
        lines = [file_sha256(path) for path in files]
    except OSError as error:
        raise DataError(f"{error.filename}: cannot be read ({error.strerror})") from error
    return f"sha256:{hashlib.sha256(chr(10).join(lines).encode()).hexdigest()[:32]}"


def _visible(folder: Path) -> list[Path]:
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return [path for path in paths if not any(part.startswith(".") for part in path.relative_to(folder).parts)]


def _lines(path: Path, folder: Path) -> Iterator[str]:
    """A file, and each that it refers to outside of the folder."""
    name = path.relative_to(folder).as_posix()
    yield f"{name} {file_sha256(path)}"
    for word, sha256 in _referred(path, folder.resolve(), _DEEPEST):
        yield f"{name} > {word} {sha256}"


def _referred(path: Path, folder: Path, depth: int) -> Iterator[tuple[str, str]]:
    pattern = _REFERENCES.get(path.suffix.lower())
    if pattern is None or depth == 0:
        return
    for found in pattern.findall(path.read_bytes()):
        word = found.decode(errors="replace").removeprefix("file://").removeprefix("package://")
        other = path.parent / word
        if other.is_file() and not other.resolve().is_relative_to(folder):
            yield word, file_sha256(other)
            yield from _referred(other, folder, depth - 1)
