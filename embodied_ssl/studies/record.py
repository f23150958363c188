"""What is kept of a study without its weights and data: small, and enough to go on from, on another machine or day.

`cells.zip` holds the numbers of each cell, what was chosen, which runs have ended and how long they took, and which
data sets they had. What it says is done is not done again where it would be the same: by the hashes of weights and
sets, and by what runs and measures were asked for.
"""

import io
import json
import zipfile
from pathlib import Path, PurePosixPath
from typing import Any

from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.store.files import write_atomically
from embodied_ssl.datasets.store.manifest import MANIFEST, data_sha256, read_json
from embodied_ssl.studies.cells import ENDED, PROGRESS
from embodied_ssl.studies.experiment import Experiment
from embodied_ssl.training.runs.checkpoint import is_finished

CELLS, DATA = "cells.zip", "data.json"
_WHAT = "study.json"
_KEPT = ("choosing/*/*.json", f"choosing/*/*/{PROGRESS}", "measured/*/*.json", f"runs/*/{ENDED}", f"runs/*/{PROGRESS}")


def known_data(experiment: Experiment) -> dict[str, dict[str, Any]]:
    """Of each data set that is there, or was where the study was begun: its kind, episodes and hash."""
    path = experiment.out / DATA
    known: dict[str, dict[str, Any]] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    for name in experiment.needed:
        place = experiment.place(name)
        if (place / MANIFEST).is_file():
            told = read_json(place)
            known[name] = {"kind": told["kind"], "episodes": told["counts"]["episodes"], "sha256": data_sha256(place)}
    return known


def check_data(experiment: Experiment) -> None:
    """Raise DataError where runs have ended elsewhere that learned from other data than those of the name here."""
    path = experiment.out / DATA
    recorded: dict[str, dict[str, Any]] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    here = known_data(experiment)
    elsewhere = {each.row for each in experiment.learning() if each.is_done() and not is_finished(each.run)}
    for row in experiment.study.rows:
        for name in row.data.values() if row.name in elsewhere else ():
            was, now = (known.get(name, {}).get("sha256", "") for known in (recorded, here))
            if was and was != now:
                raise DataError(
                    f"{experiment.place(name)}: {row.name} has learned elsewhere from other data called {name} "
                    f"({was[:12]}, here {now[:12]}); give the same, or begin anew in another --out"
                )


def keep(experiment: Experiment) -> Path:
    """Write OUT/cells.zip, whose path is returned: the same bytes of the same cells."""
    out = experiment.out
    write_atomically(out / DATA, [json.dumps(known_data(experiment), indent=1).encode()])
    ended = {path.parent for path in out.glob(f"runs/*/{ENDED}")}
    paths = [path for pattern in _KEPT for path in out.glob(pattern)]
    kept = [path for path in paths if path.name != PROGRESS or path.parent in ended or "choosing" in path.parts]
    files = {str(path.relative_to(out)): path.read_bytes() for path in [*kept, out / DATA]}
    files[_WHAT] = json.dumps(_what(experiment)).encode()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(files):
            archive.writestr(zipfile.ZipInfo(name), files[name], zipfile.ZIP_DEFLATED)
    write_atomically(out / CELLS, [buffer.getbuffer()])
    return out / CELLS


def go_on_from(cells: Path, experiment: Experiment) -> None:
    """Put what a `cells.zip` holds into the folder of the same study and size, where nothing is there yet.

    Raises DataError for what is no such file, and for that of another study or size.
    """
    try:
        with zipfile.ZipFile(cells) as archive:
            told = json.loads(archive.read(_WHAT))
            files = {name: archive.read(name) for name in archive.namelist() if name != _WHAT}
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise DataError(f"{cells}: no cells.zip of a study ({error})") from None
    if told != _what(experiment):
        raise DataError(f"{cells}: of the study {told.get('study')} at {told.get('size')}, not {_in_words(experiment)}")
    for name, content in files.items():
        path = experiment.out / name
        if ".." in path.parts or not any(PurePosixPath(f"/{name}").match(f"/{kept}") for kept in (*_KEPT, DATA)):
            raise DataError(f"{cells}: holds {name}, which no study leaves; take one that a study has written")
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, [content])


def _what(experiment: Experiment) -> dict[str, str]:
    return {"study": experiment.study.name, "size": experiment.size_name}


def _in_words(experiment: Experiment) -> str:
    return f"{experiment.study.name} at {experiment.size_name}"
