"""A linear probe on every stage of an encoder: how deep what was learned lies."""

from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional

from embodied_ssl.datasets.images.sources import ImageSet
from embodied_ssl.encoders import Encoder
from embodied_ssl.evaluation.estimators.logistic import best_probe
from embodied_ssl.evaluation.features import Features
from embodied_ssl.evaluation.protocol import EncodedSet, Protocol
from embodied_ssl.evaluation.results import Measure
from embodied_ssl.parts.views import to_float

MOST = 256
"""Numbers of a stage: its maps are averaged over as many cells as come near, so that no stage has an advantage."""


@dataclass(frozen=True)
class StageProbe(Protocol):
    """Accuracy of a linear probe on the maps of each stage, averaged over cells (Zhang et al. 2016, section 3.2)."""

    usual = False
    needs_weights = True

    def measure(self, encoded: EncodedSet) -> list[Measure]:
        found, images, parts = [], encoded.images, encoded.split
        for name, features in stage_features(encoded.encoder, images, encoded.device).items():
            probe, about = best_probe(features, images, parts, encoded.device, f"stage_probe of {name}")
            about |= {"split_seed": encoded.seed, "features": features.shape[1]}
            value = probe.accuracy(features, images.label, parts.test)
            found.append(Measure(f"accuracy of {name}", value, about, parts.test))
        return found


@torch.no_grad()
def stage_features(encoder: Encoder, images: ImageSet, device: str, batch_size: int = 256) -> dict[str, Features]:
    """The maps of each stage, averaged over cells and flattened, float32 [N, D], by an encoder at rest."""
    training = encoder.training
    encoder.eval().to(device)
    parts: dict[str, list[Features]] = {name: [] for name in encoder.channels}
    for first in range(0, len(images), batch_size):
        rows = np.arange(first, min(first + batch_size, len(images)))
        batch = torch.from_numpy(images.images[rows]).movedim(-1, -3).to(device)  # [B, 3, H, W]
        for name, maps in encoder.stages(to_float(batch, encoder.image_size)).items():
            side = max(1, int((MOST / maps.shape[1]) ** 0.5))
            cells = functional.adaptive_avg_pool2d(maps.float(), min(side, maps.shape[-1]))
            parts[name].append(cells.flatten(1).cpu().numpy())
    encoder.train(training)
    return {name: np.concatenate(own) for name, own in parts.items()}
