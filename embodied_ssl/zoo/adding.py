"""Put what a run of a study has learned into the zoo, with its card.

python -m embodied_ssl.zoo.adding studies/positives "simclr: hold, across scenes" --name simclr_hold
"""

import json
import shutil
import sys
from argparse import ArgumentParser
from dataclasses import asdict
from pathlib import Path
from typing import Any

from embodied_ssl import zoo
from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.store.files import write_atomically
from embodied_ssl.datasets.store.manifest import MANIFEST, read_json
from embodied_ssl.evaluation.results import read_results
from embodied_ssl.studies.study import file_name
from embodied_ssl.studies.verify import experiment_in
from embodied_ssl.studies.write import command_of
from embodied_ssl.training.runs.checkpoint import ENCODER, FIRST_WEIGHTS, read_configuration
from embodied_ssl.training.runs.outside import CODE
from embodied_ssl.training.runs.run import CONFIGURATION
from embodied_ssl.training.runs.samples import SAMPLES


def add(study: Path | str, row: str, name: str, seed: int = 0) -> Path:
    """Copy the run of a row and seed of a study into the zoo, without its heads, and write its card; its folder.

    Raises DataError where there is no such run, where it cannot be made again from what its card would say, and where
    the zoo would grow too large.
    """
    folder = Path(study).expanduser()
    run = folder / "runs" / f"{file_name(row)}-{seed}"
    told = read_configuration(run)
    if CODE in told or told[FIRST_WEIGHTS]["source"] is not None:
        raise DataError(f"{run}: has code or first weights from outside of the package; the zoo holds none such")
    others = sum(_bytes_of(zoo.FOLDER / each) for each in zoo.zoo_names() if each != name)
    if (together := others + sum((run / each).stat().st_size for each in (ENCODER, SAMPLES))) > zoo.MOST_BYTES:
        most = zoo.MOST_BYTES / 1e6
        raise DataError(f"{name}: the zoo would have {together / 1e6:.1f} MB of at most {most:g}")
    data = {stream: _data_of(entry) for stream, entry in told["data"].items()}
    scores = [
        asdict(one)
        for one in read_results(folder / "results.json")
        if (file_name(one.row), one.seed) == (file_name(row), seed)
    ]
    experiment = experiment_in(folder)
    (learning,) = (each for each in experiment.learning() if (each.row, each.seed) == (row, seed))
    for entry in told["data"].values():
        entry["source"] = _name_of(entry["source"])  # where it lay says nothing elsewhere
    card = {"row": row, "study": experiment.study.name, "size": experiment.size_name,
            "command": command_of(experiment, learning), "data": data, "scores": scores}  # fmt: skip
    place = zoo.FOLDER / name
    place.mkdir(exist_ok=True)
    for each in (ENCODER, SAMPLES):
        shutil.copyfile(run / each, place / each)
    for file, content in ((CONFIGURATION, told), (zoo.CARD, card)):
        write_atomically(place / file, [(json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode()])
    return place


def _bytes_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())


def _data_of(entry: dict[str, Any]) -> list[dict[str, Any]]:
    """Of each data set of a stream, how it is collected, and the hashes of its shards."""
    sources = entry["source"] if isinstance(entry["source"], list) else [entry["source"]]
    if missing := [source for source in sources if not (Path(source) / MANIFEST).is_file()]:
        raise DataError(f"{missing[0]}: no data set that can be collected again; the zoo holds what anybody can make")
    told = [read_json(Path(source)) for source in sources]
    return [
        {"spec": one["spec"], "shards": [{"file": each["file"], "sha256": each["sha256"]} for each in one["shards"]]}
        for one in told
    ]


def _name_of(source: str | list[str]) -> str | list[str]:
    return Path(source).name if isinstance(source, str) else [Path(each).name for each in source]


def main() -> None:
    """Add one."""
    parser = ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("study", type=Path, help="the folder of a study")
    parser.add_argument("row", help="by name")
    parser.add_argument("--name", required=True, help="in the zoo")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    print(add(given.study, given.row, given.name, given.seed))


if __name__ == "__main__":
    try:
        main()
    except DataError as error:
        sys.exit(str(error))
