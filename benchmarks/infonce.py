"""How InfoNCE's bound nears the mutual information as candidates grow, drawn as a figure.

python benchmarks/infonce.py infonce.svg

Gaussian pairs whose mutual information is known, and the critic that is best for them: log N − loss stays below the
truth, and below log N, which is why few negatives cannot tell much information (van den Oord et al. 2018; Poole et al.
2019). tests/test_losses.py holds the same. Takes about ten seconds.
"""

import math
from pathlib import Path

import numpy as np
import torch
from timing import figure, options

from embodied_ssl.datasets.gallery.charts import Axis, Chart
from embodied_ssl.parts.losses import info_nce

DIMS, CORRELATIONS, CANDIDATES = 8, (0.5, 0.8, 0.95), tuple(2**power for power in range(1, 12))
COLOURS = ("#2f7fd6", "#d67f2f", "#3a9d5d")


def bound(correlation: float, candidates: int, rng: np.random.Generator) -> float:
    """The mean estimate, nats, over about 16,000 pairs."""
    found = []
    for _ in range(max(4, 16_000 // candidates)):
        x = rng.normal(size=(candidates, DIMS))
        y = correlation * x + math.sqrt(1 - correlation**2) * rng.normal(size=(candidates, DIMS))
        squares = (y**2).sum(1) - 2 * correlation * x @ y.T + correlation**2 * (x**2).sum(1)[:, None]
        scores = ((y**2).sum(1) - squares / (1 - correlation**2)) / 2  # log p(y | x) / p(y), up to a constant
        found.append(math.log(candidates) - info_nce(torch.from_numpy(scores)).item())
    return float(np.mean(found))


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("figure", type=Path, help="the SVG that is written")
    given = parser.parse_args()
    rng = np.random.default_rng(0)
    ticks = tuple((float(n), str(n)) for n in CANDIDATES[::2])
    chart = Chart(Axis("candidates N", 2, CANDIDATES[-1], log=True, ticks=ticks), Axis("nats", 0, 10))
    chart.lines([(CANDIDATES, np.log(CANDIDATES))], "#888", "dashed")
    for correlation, colour in zip(CORRELATIONS, COLOURS, strict=True):
        truth = -DIMS / 2 * math.log(1 - correlation**2)
        bounds = [bound(correlation, candidates, rng) for candidates in CANDIDATES]
        print(f"truth {truth:.3f}: " + ", ".join(f"{value:.3f}" for value in bounds))
        chart.rule(y=truth)
        chart.lines([(CANDIDATES, bounds)], colour, "line")
        chart.points(CANDIDATES, bounds, colour)
    given.figure.write_text(figure(chart, "InfoNCE's bound; level: the truth; dashed: log N"), encoding="utf-8")


if __name__ == "__main__":
    main()
