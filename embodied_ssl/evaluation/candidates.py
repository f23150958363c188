"""The rows of a table: encoders that runs have learned, and what they must beat."""

import copy
import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.images.sources import ImageSet
from embodied_ssl.encoders import Encoder, random_encoder
from embodied_ssl.encoders.rescaling import rescale
from embodied_ssl.evaluation import imagenet
from embodied_ssl.evaluation.features import Pixels
from embodied_ssl.evaluation.names import shortest
from embodied_ssl.evaluation.splits import Rows
from embodied_ssl.parts.views import to_float
from embodied_ssl.training.runs.checkpoint import comparable, load_encoder, read_configuration, weights_digest
from embodied_ssl.training.runs.samples import learned_from

RESCALED_BY = 128
"""Images of a set, by which the weights of the row `random ... rescaled` are rescaled."""


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
    samples: int = 0
    """Of each stream that it has seen."""
    rescaled: bool = False
    """Whether its weights are rescaled to each set that it is measured on."""

    def on(self, images: ImageSet) -> "Candidate":
        """As it is measured on a set: rescaled by images of it, by none that its source says are for testing."""
        if not self.rescaled:
            return self
        rows = np.random.default_rng(self.seed).permutation(np.flatnonzero(images.part != "test"))[:RESCALED_BY]
        encoder = copy.deepcopy(self.encoder)
        shown = torch.from_numpy(images.images[np.sort(rows)]).movedim(-1, -3)
        rescale(encoder, to_float(shown, encoder.image_size), self.seed)
        return replace(self, encoder=encoder, rescaled=False)

    @cached_property
    def weights_sha256(self) -> str:
        """Of the encoder's tensors; nothing where there are none."""
        return weights_digest(self.encoder) if self.encoder.state_dict() else ""

    def learned_from(self, images: ImageSet, rows: Rows) -> int:
        """How many of these rows of a set it has learned from."""
        return 0 if self.run is None else learned_from(self.run, images, rows)


def candidates(runs: Sequence[Path | str], baselines: bool, rescaled: bool = False) -> list[Candidate]:
    """The encoders of runs, after baselines of the same seeds, among them, if asked for, `random ... rescaled`.

    A row is a directory's name without the `-SEED` at its end. Runs of one name with other settings or data are other
    rows, and so are random encoders; their names say as much more as tells them apart. Raises DataError for what is no
    run, and for a second one of a row and seed.
    """
    settings = [read_configuration(run) for run in runs]
    seeds = [int(one["seed"]) for one in settings]
    identities = [row_sha256(one) for one in settings]
    names = _row_names(runs, seeds, identities)
    learned: list[Candidate] = []
    for run, name, seed in zip(runs, names, seeds, strict=True):
        if any((name, seed) == (other.row, other.seed) for other in learned):
            raise DataError(f"{run}: a second run of the row {name} with seed {seed}; name each run once")
        learned.append(learned_by(run, name))
    if not baselines:
        return learned
    fixed = {row: make() for row, make in fixed_encoders().items()}
    others = [Candidate(row, seed, encoder) for row, encoder in fixed.items() for seed in sorted(set(seeds))]
    return [*others, *_untrained([one["encoder"] for one in settings], seeds, rescaled), *learned]


def learned_by(run: Path | str, row: str) -> Candidate:
    """What a run has learned, in a row of this name. Raises DataError where it is none, or has not ended."""
    told = read_configuration(run)
    samples = int(told["recipe"]["steps"]) * int(told["recipe"]["batch_size"])
    return Candidate(row, int(told["seed"]), load_encoder(run), row_sha256(told), Path(run), samples)


def fixed_encoders() -> dict[str, Callable[[], Encoder]]:
    """The rows of tables that no seed changes, and what makes the encoder of each."""
    found: dict[str, Callable[[], Encoder]] = {"raw pixels": Pixels}
    return found | ({imagenet.ROW: imagenet.ImageNet} if imagenet.is_installed() else {})


def untrained_rows(encoders: Sequence[dict[str, Any]], rescaled: bool = False) -> dict[str, dict[str, Any]]:
    """The rows of encoders as they are before any training, each once: their settings by name of the row.

    rescaled: whether each has one more, with its weights rescaled to data.
    """
    found: dict[str, dict[str, Any]] = {}
    for settings in encoders:
        alike = [other for other in encoders if other["name"] == settings["name"]]
        differing = [name for name in settings if any(other.get(name) != settings[name] for other in alike)]
        row = " ".join(["random", settings["name"], *(f"{name} {settings[name]}" for name in differing)])
        found[row] = settings
        if rescaled:
            found[f"{row} rescaled"] = settings | {"rescaled": True}
    return found


def untrained(row: str, settings: dict[str, Any], seed: int) -> Candidate:
    """An encoder as the runs of a seed begin with it, or that encoder rescaled to data."""
    own = {name: value for name, value in settings.items() if name != "rescaled"}
    rescaled = settings.get("rescaled", False)
    return Candidate(row, seed, random_encoder(**own, seed=seed), sha256_of(settings), rescaled=rescaled)


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


def _untrained(encoders: Sequence[dict[str, Any]], seeds: Sequence[int], rescaled: bool) -> list[Candidate]:
    """Each encoder as it was before any training, once for each of its seeds."""
    return [
        untrained(row, settings, seed)
        for row, settings in untrained_rows(encoders, rescaled).items()
        for seed in dict.fromkeys(
            seed for own, seed in zip(encoders, seeds, strict=True) if own.items() <= settings.items()
        )
    ]
