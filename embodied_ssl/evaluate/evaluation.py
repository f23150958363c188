"""Measure encoders on sets of pictures by several protocols."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from embodied_ssl.checkpoint import load_encoder, read_configuration
from embodied_ssl.datasets.errors import DataError, unknown_name
from embodied_ssl.datasets.images import ImageSet, image_set
from embodied_ssl.datasets.manifest import MANIFEST
from embodied_ssl.datasets.readers import Dataset
from embodied_ssl.datasets.schema import VIDEO_KINDS
from embodied_ssl.encoders import Encoder, random_encoder
from embodied_ssl.evaluate import imagenet
from embodied_ssl.evaluate.equivariance_error import equivariance_error
from embodied_ssl.evaluate.features import Features, Pixels, extract
from embodied_ssl.evaluate.few_labels import few_labels
from embodied_ssl.evaluate.fine_tuning import fine_tune, semi_supervised
from embodied_ssl.evaluate.knn import knn
from embodied_ssl.evaluate.linear_probe import linear_probe
from embodied_ssl.evaluate.next_best_view import next_best_view
from embodied_ssl.evaluate.results import Measure, Result
from embodied_ssl.evaluate.retrieval import retrieval
from embodied_ssl.evaluate.stage_probe import stage_probe
from embodied_ssl.memory import keep_memory

PROTOCOLS: dict[str, Callable[[Features, ImageSet, int], list[Measure]]] = {
    "linear_probe": linear_probe,
    "few_labels": few_labels,
    "knn": knn,
    "retrieval": retrieval,
}
"""Protocols over features that were extracted once."""

OF_MOTIONS: dict[str, tuple[tuple[str, ...], Callable[[Features, Dataset, int], list[Measure]]]] = {
    "equivariance": (VIDEO_KINDS, equivariance_error),
    "next_best_view": (("orbit",), next_best_view),
}
"""Protocols that need to know how the body moved: the kinds of our data sets that they take; other sets are skipped."""

OF_ENCODERS: dict[str, Callable[[Encoder, ImageSet, int, str, bool], list[Measure]]] = {
    "stage_probe": stage_probe,
    "semi_supervised": semi_supervised,
    "fine_tune": fine_tune,
}
"""Protocols that take the encoder apart or train it on, by name only, since they take long; pixels have none."""


@dataclass(frozen=True)
class Candidate:
    """A row of a table, with the seed of one of its runs."""

    row: str
    seed: int
    encoder: Encoder
    untrained: bool = False


def evaluate(
    runs: Sequence[Path | str],
    on: Sequence[Path | str],
    protocols: Sequence[str] = (*PROTOCOLS, *OF_MOTIONS),
    label: str | None = None,
    baselines: bool = True,
    device: str = "cpu",
    cache: Path | None = None,
    progress: bool = True,
) -> list[Result]:
    """Measure the encoders of runs on sets of pictures.

    Args:
        runs: run directories. A row is a directory's name without the `-SEED` at its end.
        on: sets of pictures: data sets of ours, folders or zip archives of class folders.
        protocols: by name: linear_probe, few_labels, knn, retrieval, equivariance, next_best_view; those that take
            longer: stage_probe, semi_supervised, fine_tune.
        label: of sets of things, orbits and tables: `category` (None: this) or `material`.
        baselines: whether to add the rows `raw pixels`, `random`, the same encoder before any training, and where the
            extra `[imagenet]` is installed a network of another architecture that learned from ImageNet's labels.
        device: to encode on.
        cache: a folder that keeps features; None: none are kept.
        progress: whether to show a progress bar.

    Returns every number with its row, seed and settings. Raises DataError for a run or a set that is not there and
    for an unknown protocol.
    """
    for protocol in protocols:
        if protocol not in (known := (*PROTOCOLS, *OF_MOTIONS, *OF_ENCODERS)):
            raise unknown_name("protocol", protocol, known)
    if not runs or not on:
        raise DataError("evaluate: name at least one run, and with --on at least one set of pictures")
    keep_memory()
    candidates = _candidates(runs, baselines)
    sets = [(source, image_set(source, label)) for source in on]
    found = []
    with tqdm(total=len(candidates) * len(sets), desc="evaluate", disable=not progress) as bar:
        for source, images in sets:
            encoder = None
            for candidate in candidates:
                if candidate.encoder is not encoder:  # the seeds of a row that has but one encoder share its features
                    encoder = candidate.encoder
                    features = extract(encoder, images, device=device, cache=cache)
                found += _measure(candidate, features, source, images, protocols, device)
                bar.update()
    return found


def row_of(run: Path | str, seed: int) -> str:
    """The row of a run: the name of its directory without `-SEED`."""
    return Path(run).name.removesuffix(f"-{seed}")


def _candidates(runs: Sequence[Path | str], baselines: bool) -> list[Candidate]:
    learned: list[Candidate] = []
    untrained = {}
    for run in runs:
        configuration = read_configuration(run)
        seed = int(configuration["seed"])
        row = row_of(run, seed)
        if any((row, seed) == (other.row, other.seed) for other in learned):
            raise DataError(f"{run}: a second run of the row {row} with seed {seed}; rename its directory")
        learned.append(Candidate(row, seed, load_encoder(run)))
        settings = configuration["encoder"]
        name = f"random {settings['name']}"
        untrained[name, seed] = Candidate(name, seed, random_encoder(**settings, seed=seed), untrained=True)
    if not baselines:
        return learned
    seeds = sorted({seed for _, seed in untrained})
    fixed: dict[str, Encoder] = {"raw pixels": Pixels()}
    if imagenet.is_installed():
        fixed[imagenet.ROW] = imagenet.ImageNet()
    others = [Candidate(row, seed, encoder) for row, encoder in fixed.items() for seed in seeds]
    return [*others, *untrained.values(), *learned]


def _measure(
    candidate: Candidate,
    features: Features,
    source: Path | str,
    images: ImageSet,
    protocols: Sequence[str],
    device: str,
) -> list[Result]:
    def result(protocol: str, measure: Measure) -> Result:
        about: dict[str, Any] = measure.settings
        return Result(candidate.row, candidate.seed, images.name, protocol, measure.metric, measure.value, about)

    found = []
    for protocol in protocols:
        if protocol in PROTOCOLS:
            found += [result(protocol, each) for each in PROTOCOLS[protocol](features, images, candidate.seed)]
            continue
        if protocol in OF_ENCODERS:
            encoder = candidate.encoder
            if any(parameter.requires_grad for parameter in encoder.parameters()):
                own = OF_ENCODERS[protocol](encoder, images, candidate.seed, device, candidate.untrained)
                found += [result(protocol, each) for each in own]
            continue
        kinds, measure_motions = OF_MOTIONS[protocol]
        if (Path(source) / MANIFEST).is_file() and (dataset := Dataset.open(source)).kind in kinds:
            found += [result(protocol, each) for each in measure_motions(features, dataset, candidate.seed)]
    return found
