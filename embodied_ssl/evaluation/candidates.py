"""The rows of a table: encoders that runs have learned, and what they must beat."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from embodied_ssl.data import Source, frames_of
from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.images.digests import Digests, digests_of, united
from embodied_ssl.datasets.images.image_set import FrameStream
from embodied_ssl.datasets.images.sources import ImageSet
from embodied_ssl.encoders import Encoder, encoder_maker, encoder_names, random_encoder
from embodied_ssl.encoders.rescaling import rescale
from embodied_ssl.evaluation import imagenet
from embodied_ssl.evaluation.features import Pixels
from embodied_ssl.evaluation.names import shortest
from embodied_ssl.evaluation.splits import Rows
from embodied_ssl.parts.views import to_float
from embodied_ssl.training.runs.checkpoint import comparable, load_encoder, read_configuration, weights_digest
from embodied_ssl.training.runs.outside import digests_of as code_digests_of
from embodied_ssl.training.runs.samples import learned_from

RESCALED_BY = 128
"""Images by which the weights of the row `random ... rescaled` are rescaled, as many of each source."""


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
    from_labels: bool = False
    """Whether it learned from labels."""
    rescaled_by: Digests | None = None
    """The images by which its weights were rescaled, where they were."""

    @cached_property
    def weights_sha256(self) -> str:
        """Of the encoder's tensors; nothing where there are none."""
        return weights_digest(self.encoder) if self.encoder.state_dict() else ""

    def learned_from(self, images: ImageSet, rows: Rows) -> int:
        """How many of these rows of a set it has learned from, or was rescaled by."""
        if self.rescaled_by is not None:
            return int(np.isin(images.digests[rows], self.rescaled_by).sum())
        return 0 if self.run is None else learned_from(self.run, images, rows)


@dataclass(frozen=True)
class Untrained:
    """A row of an encoder as it is before any training, or as that is when its weights are rescaled to images."""

    settings: Mapping[str, Any] = field(hash=False)
    """Of the encoder."""
    rescaled_to: tuple[Source, ...] = ()
    """What the runs that begin with it learn from; none: its weights stay as they were drawn."""

    def candidate(self, row: str, seed: int) -> Candidate:
        """It as the runs of a seed begin with it, or that rescaled by images that they may learn from."""
        encoder, identity = random_encoder(**self.settings, seed=seed), sha256_of(self.said())
        if not self.rescaled_to:
            return Candidate(row, seed, encoder, identity)
        images, digests = _images_of(self.rescaled_to, encoder.image_size, seed)
        rescale(encoder, images, seed)
        return Candidate(row, seed, encoder, identity, rescaled_by=digests)

    def said(self) -> dict[str, Any]:
        """All that its weights depend on, but for the seed: wherever data lie, by what they hold."""
        name = self.settings["name"]
        code = code_digests_of(encoder_maker(name)) if name in encoder_names() else {}  # of one from outside
        return {
            **self.settings,
            **({"rescaled to": self._hashes} if self.rescaled_to else {}),
            **({"code": code} if code else {}),
        }

    @cached_property
    def _hashes(self) -> list[str]:
        return sorted({frames_of(source).origins[0].sha256 for source in self.rescaled_to})


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
    others = [
        Candidate(row, seed, encoder, from_labels=row == imagenet.ROW)
        for row, encoder in fixed.items()
        for seed in sorted(set(seeds))
    ]
    return [*others, *_untrained(settings, seeds, rescaled), *learned]


def learned_by(run: Path | str, row: str) -> Candidate:
    """What a run has learned, in a row of this name. Raises DataError where it is none, or has not ended."""
    told = read_configuration(run)
    samples = int(told["recipe"]["steps"]) * int(told["recipe"]["batch_size"])
    from_labels = any(stream.rpartition(".")[2] == "labelled" for stream in told["data"])
    return Candidate(row, int(told["seed"]), load_encoder(run), row_sha256(told), Path(run), samples, from_labels)


def fixed_encoders() -> dict[str, Callable[[], Encoder]]:
    """The rows of tables that no seed changes, and what makes the encoder of each."""
    found: dict[str, Callable[[], Encoder]] = {"raw pixels": Pixels}
    return found | ({imagenet.ROW: imagenet.ImageNet} if imagenet.is_installed() else {})


def untrained_rows(
    runs: Sequence[tuple[Mapping[str, Any], Sequence[Source]]], rescaled: bool = False
) -> dict[str, Untrained]:
    """The rows of encoders as they are before any training, each once, by name.

    runs: of each the settings of its encoder, and what it learns from. rescaled: whether each encoder has one row more,
    with its weights rescaled by what the runs that begin with it learn from, so by no image that is held out from them.
    """
    encoders = [encoder for encoder, _ in runs]
    found: dict[str, Untrained] = {}
    for settings in encoders:
        alike = [other for other in encoders if other["name"] == settings["name"]]
        differing = [name for name in settings if any(other.get(name) != settings[name] for other in alike)]
        row = " ".join(["random", settings["name"], *(f"{name} {settings[name]}" for name in differing)])
        found[row] = Untrained(settings)
        if rescaled:
            own = [source for encoder, sources in runs if encoder == settings for source in sources]
            found[f"{row} rescaled"] = Untrained(settings, tuple(dict.fromkeys(own)))
    return found


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


def _untrained(runs: Sequence[dict[str, Any]], seeds: Sequence[int], rescaled: bool) -> list[Candidate]:
    """Each encoder as it was before any training, once for each of its seeds."""
    told = [(run["encoder"], _sources_of(run)) for run in runs]
    return [
        untrained.candidate(row, seed)
        for row, untrained in untrained_rows(told, rescaled).items()
        for seed in dict.fromkeys(
            seed for run, seed in zip(runs, seeds, strict=True) if run["encoder"] == untrained.settings
        )
    ]


def _sources_of(run: Mapping[str, Any]) -> list[Source]:
    """What a run has learned from, by what its configuration says."""
    each = [entry["source"] for entry in run["data"].values()]
    return [source for own in each for source in (own if isinstance(own, list) else [own])]


def _images_of(sources: Sequence[Source], side: int, seed: int) -> tuple[Tensor, Digests]:
    """Images that may be learned from, as many of each source, float [B, 3, side, side], and what each is."""
    each = {taken.origins[0].sha256: taken.stream for taken in map(frames_of, sources)}
    rng = np.random.default_rng(seed)
    images: list[Tensor] = []
    digests: list[Digests] = []
    for number, (_, stream) in enumerate(sorted(each.items())):
        count = len(range(number, RESCALED_BY, len(each)))
        rows = np.sort(rng.permutation(len(stream))[:count])
        batch: Any = stream.batch(rows, rng)
        shown: Tensor = batch.images
        images.append(to_float(shown, side))
        own = stream.images.digests[rows] if isinstance(stream, FrameStream) else digests_of(shown.movedim(1, -1))
        digests.append(own)
    return torch.cat(images), united(digests)
