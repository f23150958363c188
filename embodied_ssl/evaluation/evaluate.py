"""Measure encoders on sets of images by several protocols."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from embodied_ssl.datasets.errors import DataError, unknown_name
from embodied_ssl.datasets.images.encoded import replaced
from embodied_ssl.datasets.images.sources import ImageSet
from embodied_ssl.datasets.kinds import Kind
from embodied_ssl.datasets.progress import progress_bar
from embodied_ssl.datasets.read.readers import Dataset
from embodied_ssl.datasets.store.manifest import MANIFEST
from embodied_ssl.encoders import Encoder
from embodied_ssl.evaluation.candidates import Candidate, candidates
from embodied_ssl.evaluation.features import Features, extract
from embodied_ssl.evaluation.names import named_sets
from embodied_ssl.evaluation.protocols.equivariance_error import equivariance_error, motion_pairs
from embodied_ssl.evaluation.protocols.few_labels import few_labels
from embodied_ssl.evaluation.protocols.fine_tuning import fine_tune, semi_supervised
from embodied_ssl.evaluation.protocols.knn import knn
from embodied_ssl.evaluation.protocols.linear_probe import linear_probe
from embodied_ssl.evaluation.protocols.next_best_view import next_best_view, view_pairs
from embodied_ssl.evaluation.protocols.retrieval import retrieval
from embodied_ssl.evaluation.protocols.stage_probe import stage_probe
from embodied_ssl.evaluation.results import Measure, Result, Results
from embodied_ssl.evaluation.settings import USUAL, Settings, found_device
from embodied_ssl.evaluation.splits import split
from embodied_ssl.training.memory import keep_memory

PROTOCOLS: dict[str, Callable[[Features, ImageSet, int, Settings, str], list[Measure]]] = {
    "linear_probe": linear_probe,
    "few_labels": few_labels,
    "knn": knn,
    "retrieval": retrieval,
}
"""Protocols over features that were extracted once."""

OF_MOTIONS: dict[str, tuple[Callable[[Kind], bool], Callable[[ImageSet, Dataset, int, Settings], Any]]] = {
    "equivariance": (lambda kind: kind.is_video, motion_pairs),
    "next_best_view": (lambda kind: kind.one_object, view_pairs),
}
"""Protocols that need to know how the body moved: whether they take a kind of our data sets, and the pairs of frames
that they measure on; other sets are skipped."""

OF_ENCODERS: dict[str, Callable[[Encoder, ImageSet, int, Settings, str, bool], list[Measure]]] = {
    "stage_probe": stage_probe,
    "semi_supervised": semi_supervised,
    "fine_tune": fine_tune,
}
"""Protocols that take the encoder apart or train it on, by name only, since they take long; pixels have none."""


def evaluate(
    runs: Sequence[Path | str],
    on: Sequence[Path | str],
    protocols: Sequence[str] = (*PROTOCOLS, *OF_MOTIONS),
    label: str | None = None,
    baselines: bool = True,
    device: str = "auto",
    cache: Path | None = None,
    progress: bool = True,
    settings: Settings = USUAL,
) -> Results:
    """Measure the encoders of runs on sets of images.

    Args:
        runs: run directories. A row is a directory's name without the `-SEED` at its end.
        on: sets of images: data sets of ours, folders, zip or tar archives of class folders.
        protocols: by name: linear_probe, few_labels, knn, retrieval, equivariance, next_best_view; those that take
            longer: stage_probe, semi_supervised, fine_tune.
        label: of sets of objects, orbits and tables: `category` (None: this) or `material`.
        baselines: whether to add the rows `raw pixels`, `random`, the same encoder before any training, and where the
            extra `[imagenet]` is installed a network of another architecture that learned from ImageNet's labels.
        device: to encode and to fit classifiers on: `cpu`, `cuda`, `mps`, or `auto`, the best there is.
        cache: a folder that keeps features; None: none are kept.
        progress: whether to show a progress bar.
        settings: of the protocols.

    Returns every number with its row, set, seed and settings, how many images were trained, validated and tested on,
    and which share of these the run has learned from; where that is not none, a line on stderr says so as well.

    Raises DataError, before the first image is encoded, for a run or a set that is not there, an unknown protocol or
    device, and a set that cannot be divided.
    """
    keep_memory()
    plans = plan(on, protocols, label, settings, device)
    if not runs:
        raise DataError("evaluate: name at least one run")
    rows = candidates(runs, baselines)
    for each in plans:
        each.prepare(sorted({row.seed for row in rows}))
        for row in rows:
            row.learned_from(each.images, np.empty(0, np.int64))  # what it would refuse, it refuses now
    found = Results()
    with progress_bar(len(rows) * len(plans), "rows", "evaluate", shown=progress) as bar:
        for each in plans:
            encoder = None
            for row in rows:
                if row.encoder is not encoder:  # the seeds of a row that has but one encoder share its features
                    encoder = row.encoder
                    features = extract(encoder, each.images, device=each.device, cache=cache)
                found += each.measure(row, features)
                bar.update()
            if damaged := each.images.damaged():
                _tell(f"{each.images.name}: {replaced(damaged)}")
    return found


def plan(
    on: Sequence[Path | str],
    protocols: Sequence[str],
    label: str | None = None,
    settings: Settings = USUAL,
    device: str = "auto",
) -> "list[Plan]":
    """What is to be measured on each set, checked. Raises DataError as `evaluate` does."""
    for protocol in protocols:
        if protocol not in (known := (*PROTOCOLS, *OF_MOTIONS, *OF_ENCODERS)):
            raise unknown_name("protocol", protocol, known)
    device = found_device(device)
    if not on or not protocols:
        raise DataError("evaluate: name with --on at least one set of images, and at least one protocol")
    sets = zip(on, named_sets(on, label, settings.skip_damaged), strict=True)
    return [Plan(source, images, tuple(protocols), settings, device) for source, images in sets]


@dataclass
class Plan:
    """What is to be measured on one set."""

    source: Path | str
    images: ImageSet
    protocols: tuple[str, ...]
    settings: Settings
    device: str
    pairs: dict[tuple[str, int], Any] = field(default_factory=dict)
    """Pairs of frames of protocols that need to know how the body moved, by seed."""

    def prepare(self, seeds: Sequence[int], told: bool = True) -> None:
        """Divide the set, and tell, unless told not to, what was taken for what. Raises DataError where it can't be."""
        if self.images.told and told:
            _tell(self.images.told)
        for seed in seeds:
            if any(name != "retrieval" and name not in OF_MOTIONS for name in self.protocols):
                left_out = split(self.images, seed, self.settings).left_out
                if left_out and told and seed == seeds[0]:
                    named = ", ".join(f"{name} ({count})" for name, count in left_out.items())
                    least = f"fewer than {self.settings.least_groups} objects or rooms (--least_groups)"
                    _tell(f"{self.images.name}: left out {named}: {least}")
            for name in self.protocols:
                if name in OF_MOTIONS and (dataset := self._of_kind(name)) is not None:
                    self.pairs[name, seed] = OF_MOTIONS[name][1](self.images, dataset, seed, self.settings)

    def measure(self, row: Candidate, features: Features) -> list[Result]:
        """All numbers of a row."""
        measures = [(name, measure) for name in self.protocols for measure in self._by(name, row, features)]
        shares = self._learned_from(row, measures)
        return [
            Result(
                row.row, row.seed, self.images.name, name, measure.metric, measure.value, measure.settings,
                self.images.fingerprint, row.sha256, share,
            )
            for (name, measure), share in zip(measures, shares, strict=True)
        ]  # fmt: skip

    def _by(self, name: str, row: Candidate, features: Features) -> list[Measure]:
        """What one protocol measures; nothing where it does not take the set or the row."""
        if name in PROTOCOLS:
            return PROTOCOLS[name](features, self.images, row.seed, self.settings, self.device)
        if name in OF_ENCODERS:
            if not any(parameter.requires_grad for parameter in row.encoder.parameters()):
                return []
            untrained = row.run is None
            return OF_ENCODERS[name](row.encoder, self.images, row.seed, self.settings, self.device, untrained)
        pairs = self.pairs.get((name, row.seed))
        if pairs is None:
            return []
        if name == "equivariance":
            return equivariance_error(features, pairs)
        return next_best_view(features, pairs, self.settings, self.device)

    def _of_kind(self, name: str) -> Dataset | None:
        """The data set, where a protocol takes its kind."""
        if not (Path(self.source) / MANIFEST).is_file():
            return None
        dataset = Dataset.open(self.source)
        return dataset if OF_MOTIONS[name][0](dataset.declaration) else None

    def _learned_from(self, row: Candidate, measures: Sequence[tuple[str, Measure]]) -> list[float]:
        """The share of what each was measured on that the row has learned from; a word where it is not none."""
        known: dict[bytes, int] = {}
        shares: list[float] = []
        told: dict[str, list[str]] = {}
        for name, measure in measures:
            key = measure.tested.tobytes()
            if key not in known:
                known[key] = row.learned_from(self.images, measure.tested)
            shares.append(known[key] / max(len(measure.tested), 1))
            if known[key]:
                told.setdefault(f"{known[key]:,} of {len(measure.tested):,}", []).append(name)
        for count, names in told.items():
            by = ", ".join(dict.fromkeys(names))
            _tell(f"{row.run} has learned from {count} test images of {self.images.name} ({by})")
        return shares


def _tell(text: str) -> None:
    print(f"embodied-ssl: {text}", file=sys.stderr)
