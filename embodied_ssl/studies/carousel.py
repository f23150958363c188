"""Carousel: does it matter whose motor signals a body learns with? After the kittens of Held & Hein (1963).

Of two kittens in a carousel one walks, and the other is carried about by it and sees the same; only the one that walks
comes to see depth. Here all arms see the same video, byte by byte: with the motor signals of the body that made it,
with those of another one, with its own 0.3 s late, or with none.
"""

from embodied_ssl.evaluation.protocols.equivariance import EquivarianceError
from embodied_ssl.evaluation.protocols.go_there import GoThere
from embodied_ssl.evaluation.protocols.relative_motion import RelativeMotion
from embodied_ssl.studies.study import Figure, On, Row, Size, Study

MOTORS = ("own", "yoked", "delayed", "none")
METHODS = {
    "equivariance": "equivariance",
    "continuous": "continuous_equivariance",
    "ego-motion": "egomotion",
    "view prediction": "view_prediction",
    "simclr": "simclr --source body",
}


def _arm(name: str, motor: str) -> Row:
    """A method that learns with one's own motor signals or with others."""
    one = " --motions 1" if (name, motor) == ("equivariance", "none") else ""  # there is but one motion then: none
    return Row(f"{name}, {motor}", f"{METHODS[name]} --pairs.motor {motor}{one}", {"pairs": "roam"})


OWN_OR_YOKED = tuple(f"{name}, {motor}" for name in METHODS for motor in MOTORS[:2])
TWO = ("raw pixels", "random kitti_net", *OWN_OR_YOKED)

STUDY = Study(
    question="The same video with one's own motor signals, with another's, late, or with none: what is learned?",
    rows=(*(_arm(name, motor) for name in METHODS for motor in MOTORS), Row("labels", "labels", {"labelled": "roam"})),
    on=(On("roam_test", (RelativeMotion(), EquivarianceError(), GoThere())),),
    sizes={
        "minute": Size(samples=1024, seeds=1),
        "hour": Size(samples=32_000, seeds=3, rows=(*OWN_OR_YOKED, "labels")),
        "day": Size(samples=500_000, seeds=5),
        "gpu": Size(samples=2_000_000, seeds=3),
    },
    figures=(
        Figure(
            "The motion between two images", "relative_motion", "R² MLP", rows=TWO,
            caption="R² of the motion from the features of two images, in rooms never seen, by a network fitted on "
            "others: of methods that learned with their own motor signals, and with another's.",
        ),
        Figure("The image after a motion", "relative_motion", "MRR", rows=TWO),
        Figure("Equivariance error", "equivariance", "ρ", rows=TWO),
        Figure("Going to a goal image", "go_there", "success", over="pairs of frames", rows=TWO),
    ),
    encoder="kitti_net",
    image_size=64,
    batch_size=128,
)  # fmt: skip
