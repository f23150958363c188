"""The data card: every field of every kind of data set, from the schema."""

import numpy as np

from cards.markdown import code, table
from embodied_ssl.datasets.kinds import built_in_kinds
from embodied_ssl.datasets.schema import SCHEMA_VERSION, Field, camera_fields


def pages() -> dict[str, str | bytes]:
    """The data card."""
    by_kind = {name: kind.all_fields for name, kind in built_in_kinds().items()}
    shared = set.intersection(*(set(fields) for fields in by_kind.values()))
    sections = [_INDEX.format(version=SCHEMA_VERSION)]
    for kind, fields in by_kind.items():
        own = [field for path, field in fields.items() if path not in shared]
        sections += [f"## {kind}", _table(own)]
    sections += [
        "## Each camera of trajectories, such as `wrist`",
        _table(list(camera_fields("wrist"))),
        "## Tables of every kind",
        _table([field for path, field in next(iter(by_kind.values())).items() if path in shared]),
    ]
    return {"data.md": "\n\n".join(sections)}


_INDEX = """# The data card

A data set is a directory: `dataset.json` says what it was collected from (kind, settings, seed, versions, a hash of
each shard), and `shard-00000.h5`, `shard-00001.h5`, … are HDF5 files that any tool reads. Every array
carries its unit and what it means as attributes. Schema version {version}.

Shapes: N rows (frames or interactions), E episodes, O objects, S scenes, H × W pixels, A motor signals, T samples
of a force profile; of trajectories P samples, J joints, F fingers, K objects at most. Indices in a shard count within
it; `Dataset` turns them into rows of the whole set.

**Licence and people.** All that is collected in the worlds of this package is generated: no photograph, no person, no
licence to heed. What is imported, and folders of objects and textures that are given, are under the terms of whoever
made them.

**What it is for.** Learning representations from what bodies see, do and feel, and measuring them. What a finger feels
follows from what the camera sees, by material; nothing here says how real objects of these names look, weigh or give
way."""


def asked(field: Field) -> str:
    """Which options it takes."""
    return "; with " + " ".join(code(f"--{each}") for each in field.option.split()) if field.option else ""


def _table(fields: list[Field]) -> str:
    rows = [
        [
            code(field.path),
            np.dtype(field.dtype).name if field.dtype[0] != "S" else f"text, {field.dtype[1:]} bytes",
            "[" + ", ".join(map(str, field.shape)) + "]",
            field.unit,
            field.description + asked(field),
        ]
        for field in fields
    ]
    return table(["path", "dtype", "shape", "unit", "what it is"], rows)
