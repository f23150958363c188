"""Detection and segmentation: images measured in a second, against the bare network that says what is measured.

OPENBLAS_NUM_THREADS=1 python benchmarks/dense.py DATA [--encoder resnet8] [--rounds 5]

DATA was collected with `--instance true --depth true`, as by

    embodied-ssl collect roam --out DATA --episodes 100 --length 2 --size 96 --instance true --depth true

Each pair of sides sees the same images, on one core, interleaved, by processor time. Bare: the network on float images
that lie ready, up to the scores on its finest grid. Measured: reading, the network, what is said brought to the pixels,
and counting it against the truth. The encoder's weights are as they were drawn; the layer is fitted, the networks have
had a few updates. Takes about two minutes.
"""

import time
from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from timing import existing, interleaved, options, table

from embodied_ssl.datasets.images.sources import image_set
from embodied_ssl.encoders import random_encoder
from embodied_ssl.evaluation.estimators.average_precision import average_precision
from embodied_ssl.evaluation.estimators.detector import train_detector
from embodied_ssl.evaluation.estimators.fully_convolutional import train_network
from embodied_ssl.evaluation.estimators.labelling import confusion_of, fit_layer, predicted_by
from embodied_ssl.evaluation.pixels import BATCH, STRIDE, linear_scores, side_for
from embodied_ssl.evaluation.protocol import EvaluationSet
from embodied_ssl.evaluation.protocols.segmentation import Segmentation, Task
from embodied_ssl.parts.views import to_float


def main() -> None:
    """Print the rates."""
    parser = options(__doc__)
    parser.add_argument("data", type=existing)
    parser.add_argument("--encoder", default="resnet8")
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    torch.set_num_threads(1)
    images, encoder = image_set(given.data), random_encoder(given.encoder, 48, 0).eval()
    task: Task = Segmentation(pictures=150).prepare(EvaluationSet(images=images))
    pictures = task.pictures
    scenes, rows = pictures.held_out, np.resize(pictures.parts.test, 8 * BATCH)
    assert scenes.labels is not None
    side = side_for(encoder, scenes.side)
    ready = [
        to_float(torch.from_numpy(scenes.images[own]).movedim(-1, -3), side)
        for own in np.array_split(rows, -(-len(rows) // BATCH))
    ]

    def bare(network: Callable[[torch.Tensor], object]) -> int:
        with torch.no_grad():
            for shown in ready:
                network(shown)
        return len(rows)

    def counted(said: Callable[..., object]) -> int:
        confusion_of(said(rows=rows), scenes, scenes.labels)  # type: ignore[arg-type]
        return len(rows)

    layer = fit_layer(encoder, task.train, task.validation, task.shares, "cpu")

    def scored(shown: torch.Tensor) -> torch.Tensor:
        return linear_scores(encoder.stages(shown), side // STRIDE, layer.weight, layer.bias)

    network = train_network(encoder, pictures.scenes, pictures.parts.train, 1e-3, 30, 0, "cpu")
    detector = train_detector(encoder, pictures, True, 1e-3, 30, True, "cpu")
    truth = [scenes.boxes(row) for row in rows.tolist()] if scenes.boxes else []

    def found() -> int:
        average_precision(detector.found_in(scenes, rows, "cpu"), truth, len(scenes.things), True)
        return len(rows)

    pairs = {
        "segmentation, linear": (
            partial(bare, scored),
            partial(counted, partial(predicted_by, encoder, layer, scenes, device="cpu")),
        ),
        "segmentation, fcn": (
            partial(bare, network),
            partial(counted, partial(network.predicted, scenes, device="cpu")),
        ),
        "detection": (partial(bare, lambda shown: detector.network([*shown])), found),
    }
    for title, (alone, whole) in pairs.items():
        rates = interleaved({"bare network": alone, "measured": whole}, given.rounds, time.process_time)
        table(f"{title}: {scenes.side} px, {len(scenes.classes)} classes", rates, "images/s", "bare network")


if __name__ == "__main__":
    main()
