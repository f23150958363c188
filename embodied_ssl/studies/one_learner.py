"""One learner: all that a body gives together, against each of its parts."""

from embodied_ssl.evaluation.protocols.few_labels import FewLabels
from embodied_ssl.evaluation.protocols.knn import KNN
from embodied_ssl.evaluation.protocols.linear_probe import LinearProbe
from embodied_ssl.studies.data import TABLES
from embodied_ssl.studies.study import Figure, On, Row, Size, Study

HELD = "--source both --across scenes --together 2 --crop 1 --least_crop 1.0 --temperature 0.1 --grey 0.5"
RATES = ("--lr 1e-3", "--lr 3e-3")
"""Each row learns at the better of these."""
MEASURES = (LinearProbe(), KNN(), FewLabels())

STUDY = Study(
    question="Is one learner that sees, moves and touches as good as the best of its parts on every set?",
    rows=(
        Row("views: hold and path", f"simclr {HELD}", {"objects": "hold", "pairs": "roam"}, RATES),
        Row("motion: equivariance", "equivariance", {"pairs": "roam"}, RATES),
        Row("touch: curious robot", "curious_robot", TABLES, RATES),
        Row(  # by the weights the losses, of which equivariance's is thirty times the others, are of like size
            "all of them",
            "joint --methods simclr equivariance curious_robot --loss_weights 1 0.03 1 --method_settings "
            '\'{"simclr": {"temperature": 0.1, "grey": 0.5, "views": '
            '{"source": "both", "across": "scenes", "together": 2, "crop": 1.0, "least_crop": 1.0}}}\'',
            {
                "simclr.objects": "hold",
                "simclr.pairs": "roam",
                "equivariance.pairs": "roam",
                **{f"curious_robot.{stream}": data for stream, data in TABLES.items()},
            },
            RATES,
        ),
        Row("labels", "labels", {"labelled": "hold"}, RATES),
    ),
    on=(
        On("roam_test", MEASURES),
        On("yardstick", (LinearProbe(), KNN()), splits=5),
        On("poke_test", MEASURES, label="category"),
        On("poke_test", MEASURES, label="material"),
    ),
    chosen_on=On("yardstick_choose", (LinearProbe(),)),
    encoder="resnet8",
    batch_size=128,
    sizes={
        "minute": Size(samples=2048, seeds=1, choosing=0.5),
        "hour": Size(samples=48_000, seeds=3, choosing=1.0, precision="bf16"),
        "day": Size(samples=1_000_000, seeds=5, choosing=0.125, precision="bf16"),
        "gpu": Size(samples=4_000_000, seeds=3, choosing=0.125, precision="bf16"),
    },
    figures=(Figure("On every set", "linear_probe", "accuracy"),),
)
