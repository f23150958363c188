"""Where images lie: a folder, or a zip or tar archive; their names, and the bytes of each at random."""

import os
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from embodied_ssl.datasets.errors import DataError

ENDINGS = (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".webp", ".gif", ".tif", ".tiff", ".avif", ".ppm", ".pgm")
"""Of names of images, in any case; what a file holds tells its format, whatever it is called."""
_JUNK = ("__macosx", "thumbs.db", "desktop.ini")
_COMPRESSED = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"(\xb5/\xfd")  # how gzip, bzip2, xz and Zstandard begin
_MOST_BYTES = 1 << 30  # of one image in an archive, as it claims: no more is taken from it


class Place(NamedTuple):
    """Where a file lies in an archive, in bytes."""

    offset: int
    """Of its content in a tar, of the header before it in a zip."""
    size: int
    packed: int
    crc: int | None
    """None: a tar has none."""
    deflated: bool


@dataclass
class Store:
    """The images in a folder or an archive: names with `/` between folders, sorted."""

    path: Path
    name: str
    names: list[str] = field(default_factory=list)
    damaged: dict[str, str] = field(default_factory=dict)
    """What is called like an image and is none, and why: a folder, a link to nothing."""
    others: list[str] = field(default_factory=list)
    """Files that are no images by their name; what systems hide (`.DS_Store`, `__MACOSX`) is not among them."""
    signature: Any = None
    """Changes when a file does: names, sizes and times."""

    def read(self, row: int) -> bytes:
        """The content of `names[row]`. Raises OSError or ValueError where it cannot be read."""
        raise NotImplementedError


@dataclass
class Folder(Store):
    """Files below a folder, links followed."""

    def read(self, row: int) -> bytes:
        with open(f"{self.path}/{self.names[row]}", "rb", buffering=0) as file:  # three times as fast as a Path
            return file.read()


@dataclass
class Archive(Store):
    """Files of a zip or an uncompressed tar, read at random by any number of threads and processes."""

    places: list[Place] = field(default_factory=list)

    def read(self, row: int) -> bytes:
        place = self.places[row]
        offset = place.offset
        if place.crc is not None:  # behind the header in a zip come its name and an extra field, each of its own length
            header = os.pread(self._descriptor, 30, offset)
            if header[:4] != b"PK\3\4":
                raise ValueError("is not where the archive says")
            offset += 30 + int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little")
        content = os.pread(self._descriptor, place.packed, offset)
        if place.deflated:
            unpacker = zlib.decompressobj(-15)
            try:
                content = unpacker.decompress(content, max(place.size, 1))  # 0 would be as much as there is
            except zlib.error as error:
                raise ValueError(f"cannot be unpacked ({error})") from error
        if len(content) != place.size or place.crc not in (None, zlib.crc32(content)):
            raise ValueError("is damaged in the archive")
        return content

    @cached_property
    def _descriptor(self) -> int:
        return os.open(self.path, os.O_RDONLY)

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in self.__dict__.items() if key != "_descriptor"}

    def __del__(self) -> None:
        if "_descriptor" in self.__dict__:
            os.close(self._descriptor)


def open_store(path: Path) -> Store | None:
    """What is at `path`; None: neither a folder nor an archive. Raises DataError where it cannot be read."""
    try:
        if path.is_dir():
            return _folder(path)
        if not path.is_file():
            return None
        if zipfile.is_zipfile(path):
            return _zip(path)
        if tarfile.is_tarfile(path):
            return _tar(path)
        return None
    except (zipfile.BadZipFile, tarfile.TarError, NotImplementedError, EOFError) as error:
        raise DataError(f"{path}: damaged archive ({error}); fetch it again") from error
    except OSError as error:
        raise DataError(f"{error.filename or path}: cannot be read ({error.strerror or error})") from error


def _folder(path: Path) -> Folder:
    store = Folder(path, path.resolve().name)
    found: list[tuple[str, int, int]] = []
    above: list[tuple[str, str, tuple[tuple[int, int], ...]]]
    above = [(os.fspath(path), "", (_identity(os.stat(path)),))]  # folders to enter, and those that each lies in
    while above:
        folder, prefix, chain = above.pop()
        with os.scandir(folder) as entries:
            for entry in entries:
                name = prefix + entry.name
                if _is_junk(entry.name):
                    continue
                try:
                    status = entry.stat()
                except OSError as error:
                    _refuse(store, name, "is a link to nothing" if entry.is_symlink() else str(error.strerror))
                    continue
                if stat.S_ISDIR(status.st_mode):
                    if _is_picture(entry.name):
                        store.damaged[name] = "is a folder"
                    elif _identity(status) not in chain:  # a link to a folder that it lies in would never end
                        above.append((entry.path, f"{name}/", (*chain, _identity(status))))
                elif not _is_picture(entry.name):
                    store.others.append(name)
                elif stat.S_ISREG(status.st_mode):
                    found.append((name, status.st_size, status.st_mtime_ns))
                else:
                    store.damaged[name] = "is no file"
    store.names = [name for name, _, _ in sorted(found)]
    store.signature = hash(tuple(sorted(found)))
    return store


def _zip(path: Path) -> Archive:
    store = Archive(path, _without_ending(path))
    found = []
    with zipfile.ZipFile(path) as archive:
        for entry in archive.infolist():
            name = _inside(entry.filename)
            if _is_junk_path(name):
                continue
            kind = entry.external_attr >> 16
            if entry.is_dir() or entry.filename.endswith("\\"):
                _note_folder(store, name)
            elif not _is_picture(name):
                store.others.append(name)
            elif entry.flag_bits & 1:
                store.damaged[name] = "is encrypted"
            elif stat.S_ISLNK(kind):
                store.damaged[name] = "is a link"
            elif entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                store.damaged[name] = "is packed by a method other than deflate"
            elif entry.file_size > _MOST_BYTES:
                store.damaged[name] = f"has {entry.file_size:,} bytes"
            else:
                deflated = entry.compress_type == zipfile.ZIP_DEFLATED
                place = Place(entry.header_offset, entry.file_size, entry.compress_size, entry.CRC, deflated)
                found.append((name, place))
    return _filled(store, found)


def _tar(path: Path) -> Archive:
    with path.open("rb") as file:
        if file.read(6).startswith(_COMPRESSED):
            raise DataError(
                f"{path}: images of a compressed tar cannot be read at random; unpack it (tar -xf {path.name}) and "
                "name the folder"
            )
    store = Archive(path, _without_ending(path))
    found = []
    with tarfile.open(path, "r:") as archive:
        for entry in archive:
            name = _inside(entry.name)
            if _is_junk_path(name):
                continue
            if entry.isdir():
                _note_folder(store, name)
            elif not _is_picture(name):
                store.others.append(name)
            elif not entry.isreg() or entry.issparse():
                store.damaged[name] = "is a link" if entry.issym() or entry.islnk() else "is no file"
            else:
                found.append((name, Place(entry.offset_data, entry.size, entry.size, None, False)))
    return _filled(store, found)


def _filled(store: Archive, found: list[tuple[str, Place]]) -> Archive:
    found.sort()
    status = os.stat(store.path)
    store.names = [name for name, _ in found]
    store.places = [place for _, place in found]
    store.signature = (_identity(status), status.st_size, status.st_mtime_ns)
    return store


def _note_folder(store: Store, name: str) -> None:
    if _is_picture(name):
        store.damaged[name] = "is a folder"


def _refuse(store: Store, name: str, why: str) -> None:
    """Note what cannot be looked at: one that is called like an image as damaged, another beside."""
    if _is_picture(name):
        store.damaged[name] = why
    else:
        store.others.append(f"{name} ({why})")


def _inside(name: str) -> str:
    """A name in an archive, with `/`: on Windows some write `\\`."""
    return "/".join(part for part in name.replace("\\", "/").split("/") if part not in ("", "."))


def _is_picture(name: str) -> bool:
    return name.lower().endswith(ENDINGS)


def _is_junk(name: str) -> bool:
    """Whether a system put it there, for itself: `.DS_Store`, `._x.jpg`, `.ipynb_checkpoints`, `Thumbs.db`."""
    return name.startswith(".") or name.lower() in _JUNK


def _is_junk_path(name: str) -> bool:
    return any(_is_junk(part) for part in name.split("/"))


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


def _without_ending(path: Path) -> str:
    name = path.resolve().name
    return next((name[: -len(end)] for end in (".zip", ".tar") if name.lower().endswith(end)), name)


def listed(names: Iterable[str], most: int = 4) -> str:
    """The first few of several names: `a, b, c, d and 3 others`."""
    known = list(names)
    more = len(known) - most
    return ", ".join(known[:most]) + (f" and {more:,} other{'s' if more > 1 else ''}" if more > 0 else "")


def reason(error: OSError | ValueError) -> str:
    """Why an image cannot be used, as it follows its name."""
    return f"cannot be read ({error.strerror or error})" if isinstance(error, OSError) else str(error)
