"""Measure encoders on sets of images by several protocols."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.images.encoded import replaced
from embodied_ssl.datasets.images.sources import ImageSet
from embodied_ssl.datasets.progress import progress_bar
from embodied_ssl.datasets.read.readers import Dataset
from embodied_ssl.datasets.store.manifest import MANIFEST
from embodied_ssl.evaluation.candidates import Candidate, candidates
from embodied_ssl.evaluation.features import FeaturesOf
from embodied_ssl.evaluation.names import named_sets
from embodied_ssl.evaluation.protocol import EncodedSet, EvaluationSet, Protocol
from embodied_ssl.evaluation.protocols import make_protocol, protocol_name, usual_protocols
from embodied_ssl.evaluation.results import Measure, Result, Results
from embodied_ssl.evaluation.settings import USUAL, Settings, found_device
from embodied_ssl.limits import within_limits
from embodied_ssl.report.figures import Predictions
from embodied_ssl.training.devices.memory import keep_memory
from embodied_ssl.zoo import run_folder


@within_limits
def evaluate(
    runs: Sequence[Path | str],
    on: Sequence[Path | str],
    protocols: Sequence[str | Protocol] | None = None,
    settings: Settings = USUAL,
    baselines: bool = True,
    rescaled: bool = False,
    device: str = "auto",
    cache: Path | None = None,
    progress: bool = True,
) -> Results:
    """Measure the encoders of runs on sets of images.

    Args:
        runs: run directories, or `zoo/NAME`. A row is a directory's name without the `-SEED` at its end.
        on: sets of images: data sets of ours, folders, zip or tar archives of class folders.
        protocols: by name, by `module:Name`, or with settings of their own, as `KNN(neighbours=5)`; None: all but those
            that take long.
        settings: of what is measured on.
        baselines: whether to add the rows `raw pixels`, `random`, the same encoder before any training, and where the
            extra `[imagenet]` is installed a network of another architecture that learned from ImageNet's labels.
        rescaled: whether to add to these the row `random ... rescaled`: the encoder before any training with its
            weights rescaled by 128 of the images that the runs learn from (Krähenbühl et al. 2016).
        device: to encode and to fit classifiers on: `cpu`, `cuda`, `mps`, or `auto`, the best there is.
        cache: a folder that keeps features; None: none are kept.
        progress: whether to show a progress bar.

    Returns every number with its row, set, seed and settings, how many images were trained, validated and tested on,
    and which share of these the run has learned from; where that is not none, a line on stderr says so as well.

    Raises DataError, before the first image is encoded, for a run or a set that is not there, an unknown protocol or
    device, and a set that cannot be divided.
    """
    keep_memory()
    plans = plan(on, protocols, settings, device)
    if not runs:
        raise DataError("evaluate: name at least one run")
    rows = candidates([run_folder(run) for run in runs], baselines, rescaled)
    for each in plans:
        each.prepare(sorted({row.seed for row in rows}))
        for row in rows:
            row.learned_from(each.images, np.empty(0, np.int64))  # what it would refuse, it refuses now
    if not any(each.prepared for each in plans):
        raise DataError("evaluate: none of these protocols measures on any of these sets")
    found = Results()
    with progress_bar(len(rows) * len(plans), "rows", "evaluate", shown=progress) as bar:
        for each in plans:
            encoder = None
            for row in rows:
                if row.encoder is not encoder:  # the seeds of a row that has but one encoder share its features
                    encoder = row.encoder
                    features = FeaturesOf(encoder, each.images, each.device, cache)
                found.add(each.measure(row, features))
                bar.update()
            if damaged := each.images.damaged():
                _tell(f"{each.images.name}: {replaced(damaged)}")
    return found


def plan(
    on: Sequence[Path | str],
    protocols: Sequence[str | Protocol] | None = None,
    settings: Settings = USUAL,
    device: str = "auto",
) -> "list[Plan]":
    """What is to be measured on each set, checked. Raises DataError as `evaluate` does."""
    named = usual_protocols() if protocols is None else protocols
    made = [each if isinstance(each, Protocol) else make_protocol(each) for each in named]
    device = found_device(device)
    if not on or not made:
        raise DataError("evaluate: name with --on at least one set of images, and at least one protocol")
    asked = {*map(protocol_name, made)} != {*usual_protocols()}
    sets = zip(on, named_sets(on, settings.label, settings.skip_damaged), strict=True)
    return [Plan(source, images, made, settings, device, asked) for source, images in sets]


@dataclass
class Plan:
    """What is to be measured on one set."""

    source: Path | str
    images: ImageSet
    protocols: list[Protocol]
    settings: Settings
    device: str
    asked: bool = True
    """Whether protocols were chosen: of the usual ones it is nothing to tell that some do not take a set."""
    prepared: dict[tuple[int, int], Any] = field(default_factory=dict)
    """What protocols have prepared, by their numbers and the seed; those that do not take the set are not in it."""
    dataset: Dataset | None = None
    """The set, where it is a data set of ours."""

    def prepare(self, seeds: Sequence[int], told: bool = True) -> None:
        """Divide the set, and tell, unless told not to, what was taken for what. Raises DataError where it can't be."""
        if self.images.told and told:
            _tell(self.images.told)
        self.dataset = Dataset.open(self.source) if (Path(self.source) / MANIFEST).is_file() else None
        taken = {number: each for number, each in enumerate(self.protocols) if self._is_taken(each, told)}
        for seed in seeds:
            on = EvaluationSet(images=self.images, seed=seed, settings=self.settings, dataset=self.dataset)
            if any(each.divides for each in taken.values()):
                self._tell_left_out(on.split.left_out, told and seed == seeds[0])
            self.prepared |= {(number, seed): each.prepare(on) for number, each in taken.items()}

    def measure(self, row: Candidate, features: FeaturesOf) -> Results:
        """All numbers of a row, and what is shown of it."""
        encoded = EncodedSet(
            images=self.images, seed=row.seed, settings=self.settings, dataset=self.dataset, features_of=features,
            encoder=row.encoder, untrained=row.run is None, run=row.run, device=self.device,
        )  # fmt: skip
        measures = [
            (each, measure) for number, each in enumerate(self.protocols) for measure in self._by(number, encoded)
        ]
        names = [protocol_name(each) for each, _ in measures]
        shares = self._learned_from(row, [(name, measure) for name, (_, measure) in zip(names, measures, strict=True)])
        found = Results(
            Result(
                row.row, row.seed, self.images.name, name, measure.metric, measure.value, measure.settings,
                self.images.fingerprint, row.sha256, share,
                protocol.lower_is_better if measure.lower_is_better is None else measure.lower_is_better,
                protocol.unit if measure.unit is None else measure.unit,
                row.weights_sha256, row.samples, row.from_labels,
            )
            for name, (protocol, measure), share in zip(names, measures, shares, strict=True)
        )  # fmt: skip
        shown = [
            Predictions(f"{name}, {measure.metric}: {self.images.name}", measure.shown)
            for name, (_, measure) in zip(names, measures, strict=True)
            if measure.shown
        ]
        if shown:
            found.shown[row.row if row.seed == 0 else f"{row.row}, seed {row.seed}"] = shown
        return found

    def _by(self, number: int, encoded: EncodedSet) -> list[Measure]:
        """What one protocol measures; nothing where it does not take the set or the row."""
        protocol, key = self.protocols[number], (number, encoded.seed)
        has_weights = any(parameter.requires_grad for parameter in encoded.encoder.parameters())
        if key not in self.prepared or (protocol.needs_weights and not has_weights):
            return []
        found = protocol.measure(replace(encoded, prepared=self.prepared[key]))
        name, count = protocol_name(protocol), len(self.images)
        if not isinstance(found, list | tuple) or not all(isinstance(each, Measure) for each in found):
            raise DataError(f"{name}: measure gives {type(found).__name__}; it gives a list of Measure")
        for each in found:
            if each.tested.size and not 0 <= each.tested.min() <= each.tested.max() < count:
                raise DataError(f"{name}: {each.metric} was tested on rows that {self.images.name} does not have")
        return list(found)

    def _is_taken(self, protocol: Protocol, told: bool) -> bool:
        """Whether a protocol measures on the set; where it does not, and says what it takes, so is told."""
        taken = protocol.takes(self.dataset) and protocol.takes_images(self.images)
        if not taken and told and self.asked:
            wanted = f"; it takes {protocol.wants}" if protocol.wants else ""
            _tell(f"{self.images.name}: {protocol_name(protocol)} is not measured on it{wanted}")
        return taken

    def _tell_left_out(self, left_out: dict[str, int], told: bool) -> None:
        if left_out and told:
            named = ", ".join(f"{name} ({count})" for name, count in left_out.items())
            least = f"fewer than {self.settings.least_groups} objects or rooms (--least_groups)"
            _tell(f"{self.images.name}: left out {named}: {least}")

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
