"""The rows of a table: encoders that runs have learned, and what they must beat."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.images.sources import ImageSet
from embodied_ssl.encoders import Encoder, random_encoder
from embodied_ssl.evaluation import imagenet
from embodied_ssl.evaluation.features import Pixels
from embodied_ssl.evaluation.names import shortest
from embodied_ssl.evaluation.splits import Rows
from embodied_ssl.training.runs.checkpoint import comparable, load_encoder, read_configuration
from embodied_ssl.training.runs.samples import learned_from


@dataclass(frozen=True)
class Candidate:
    """A row of a table, with the seed of one of its runs."""

    row: str
    seed: int
    encoder: Encoder
    sha256: str = ""
    """Of the configuration without its seed: what candidates of one row have in common."""
    run: Path | None = None
    """Where it was learned; None: nowhere."""

    def learned_from(self, images: ImageSet, rows: Rows) -> int:
        """How many of these rows of a set it has learned from."""
        return 0 if self.run is None else learned_from(self.run, images, rows)


def candidates(runs: Sequence[Path | str], baselines: bool) -> list[Candidate]:
    """The encoders of runs, after baselines of the same seeds.

    A row is a directory's name without the `-SEED` at its end. Runs of one name with other settings or data are other
    rows, and so are random encoders; their names say as much more as tells them apart. Raises DataError for what is no
    run, and for a second one of a row and seed.
    """
    settings = [read_configuration(run) for run in runs]
    seeds = [int(one["seed"]) for one in settings]
    identities = [row_sha256(one) for one in settings]
    names = _row_names(runs, seeds, identities)
    learned: list[Candidate] = []
    for run, name, seed, identity in zip(runs, names, seeds, identities, strict=True):
        if any((name, seed) == (other.row, other.seed) for other in learned):
            raise DataError(f"{run}: a second run of the row {name} with seed {seed}; name each run once")
        learned.append(Candidate(name, seed, load_encoder(run), identity, Path(run)))
    if not baselines:
        return learned
    fixed: dict[str, Encoder] = {"raw pixels": Pixels()}
    if imagenet.is_installed():
        fixed[imagenet.ROW] = imagenet.ImageNet()
    others = [Candidate(row, seed, encoder) for row, encoder in fixed.items() for seed in sorted(set(seeds))]
    return [*others, *_untrained([one["encoder"] for one in settings], seeds), *learned]


def row_sha256(configuration: dict[str, Any]) -> str:
    """Of what runs of one row have in common. First weights that were drawn depend on the seed as well."""
    known = {name: value for name, value in comparable(configuration).items() if name not in ("seed", "first_weights")}
    return sha256_of(known | {"began from": configuration.get("first_weights", {}).get("source")})


def sha256_of(configuration: Any) -> str:
    """A name for what JSON can say."""
    return hashlib.sha256(json.dumps(configuration, sort_keys=True).encode()).hexdigest()


def _row_names(runs: Sequence[Path | str], seeds: Sequence[int], identities: Sequence[str]) -> list[str]:
    """A name for each run, the same for those of one row."""
    paths = [Path(run).expanduser().resolve() for run in runs]
    places = [(*path.parts[:-1], path.name.removesuffix(f"-{seed}")) for path, seed in zip(paths, seeds, strict=True)]
    rows = list(zip((place[-1] for place in places), identities, strict=True))
    first = {row: at for at, row in reversed(list(enumerate(rows)))}  # a row is named by its first run
    named = [places[at] for at in first.values()]
    whole = [paths[at].parts for at in first.values()]  # tells apart those of one folder and name but for the seed
    ends = shortest([own if named.count(own) == 1 else path for own, path in zip(named, whole, strict=True)])
    by_row = dict(zip(first, ends, strict=True))
    return [by_row[row] for row in rows]


def _untrained(encoders: Sequence[dict[str, Any]], seeds: Sequence[int]) -> list[Candidate]:
    """Each encoder as it was before any training, once for each seed."""
    found: dict[tuple[str, int], Candidate] = {}
    for settings, seed in zip(encoders, seeds, strict=True):
        alike = [other for other in encoders if other["name"] == settings["name"]]
        differing = [name for name in settings if any(other.get(name) != settings[name] for other in alike)]
        row = " ".join(["random", settings["name"], *(f"{name} {settings[name]}" for name in differing)])
        found[row, seed] = Candidate(row, seed, random_encoder(**settings, seed=seed), sha256_of(settings))
    return list(found.values())
