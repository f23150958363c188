"""The lecture, reproduced: all methods on all sets, and its figures and tables in their order."""

from collections.abc import Callable, Mapping

from embodied_ssl.report.tables import row_order
from findings import contrast, pretext
from findings.committed import Measured, committed, plain
from findings.drawing import matrix
from findings.groups import on_all_sets
from findings.section import Makers, made_by
from findings.words import Comparison, compare


def overview() -> str:
    """All methods on all sets, in one table. Raises NotThere as all sections do."""
    found = committed("lecture")
    measures = on_all_sets(found)
    rows = found.has(*(row.name for row in found.study.rows))
    untrained = {row: found.untrained(row) for row in rows}
    methods = [row for row in rows if row_order(row)[0] < 2]
    won = {row: _won(measures, row, untrained[row], lambda each: each.is_apart) for row in methods}
    by_seed = {row: _won(measures, row, untrained[row], lambda each: each.is_ahead_by_seed) for row in methods}
    twice, twice_by_seed = ([row for row, count in own.items() if count >= 2] for own in (won, by_seed))
    never = [plain(row) for row, count in won.items() if count == 0]
    not_one = f" On none of them: {', '.join(never)}." if never else ""
    return "\n\n".join(
        [
            matrix(measures, untrained),
            '<p class="caption">Accuracy of each method less that of its own encoder before training, whose interval '
            "is the grey band; 95 % intervals over seeds; orange where the intervals are apart. Rooms, objects and "
            "materials were never seen, and have all labels; of CIFAR-10 and clothes 50 (1 %) or 500 (10 %) images "
            "of each class. Point at a cell to see both numbers.</p>",
            f"**{len(twice)} of {len(won)} methods without labels are above their own untrained encoder on at least "
            f"two of the {len(measures)} sets, intervals apart; {len(twice_by_seed)} by the interval of the "
            f"difference, seed by seed.**{not_one} Labels, the last row, are the names of rooms.",
            made_by(found),
        ]
    )


SECTIONS: Makers = {
    "RotNet: which way up?": pretext.rotation,
    "RotNet: how many labels does it save?": pretext.saved_labels,
    "Transfer: boxes, pixels, surfaces": pretext.transfer,
    "Split-brain: lightness and colour": pretext.split_brain,
    "Shuffle and learn: is a video in order?": pretext.temporal_order,
    "Ego-motion: six labelled images of each room": pretext.equivariance,
    "The Curious Robot: what is it?": pretext.robot_classifier,
    "The Curious Robot: have I seen it before?": pretext.robot_retrieval,
    "SimCLR: two crops of one image": contrast.simclr,
    "Large batches and MoCo's queue": contrast.batch_size,
    "MoCo: a queue and a slow teacher": contrast.moco,
    "DINO: attention finds objects": contrast.dino,
    "MAE: three quarters of an image are missing": contrast.mae,
    "CLIP: named without a label": contrast.clip,
    "One label in a hundred, one in ten": contrast.semi_supervised,
}
"""In the order of the lecture."""


def _won(measures: Mapping[str, Measured], row: str, base: str, how: Callable[[Comparison], bool]) -> int:
    """On how many sets a row is above another."""
    return sum(how(each) for measured in measures.values() for each in compare(measured, row, base, ""))
