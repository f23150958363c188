"""Touch: what each sense of the Curious Robot learns, of its own task and of the objects that it touches."""

from embodied_ssl.evaluation.protocols.few_labels import FewLabels
from embodied_ssl.evaluation.protocols.grasping import Grasping
from embodied_ssl.evaluation.protocols.physics import Physics
from embodied_ssl.evaluation.protocols.retrieval import Retrieval
from embodied_ssl.evaluation.protocols.senses import Senses
from embodied_ssl.studies.data import TABLES
from embodied_ssl.studies.study import Figure, On, Row, Size, Study

NAMES = {"grasps": "grasping", "pushes": "pushing", "pokes": "poking", "pairs": "seeing again"}
SIX = FewLabels(per_class=(6,))

IN_AN_HOUR = (*(f"{name} alone" for name in NAMES.values()), "all senses", "labels")


def _robot(name: str, streams: list[str]) -> Row:
    return Row(name, "curious_robot", {stream: TABLES[stream] for stream in streams})


STUDY = Study(
    question="What does each sense learn, of its own task on objects never touched, and of what these objects are?",
    rows=(
        *(_robot(f"{name} alone", [stream]) for stream, name in NAMES.items()),
        *(_robot(f"without {name}", [each for each in TABLES if each != stream]) for stream, name in NAMES.items()),
        _robot("all senses", list(TABLES)),
        Row("labels", "labels", {"labelled": "poke"}),
    ),
    on=(
        On("tables_test", (Senses(), Grasping(grasps=(100, 1000), tables=50), Retrieval(), SIX), label="category"),
        On("push_test", (Senses(),), splits=5),
        On("poke_test", (Senses(), Physics()), splits=5),
        On("poke_test", (SIX,), label="material"),
    ),
    sizes={
        "minute": Size(samples=1024, seeds=1),
        "hour": Size(samples=48_000, seeds=5, rows=IN_AN_HOUR),
        "day": Size(samples=640_000, seeds=5),
        "gpu": Size(samples=2_000_000, seeds=3),
    },
    figures=(
        Figure("Whether a grasp holds", "senses", "area under curve", "tables_test"),
        Figure("Grasps carried out", "grasping", "success", "tables_test", over="labelled grasps"),
        Figure("Stiffness felt by a poke", "senses", "R² log stiffness", "poke_test"),
        Figure("Which way a push went, seen before and after", "senses", "R² way of a push", "push_test"),
        Figure("How far a push moves an object", "senses", "R² displacement", "push_test"),
        Figure("Material, six labelled images of each", "few_labels", "accuracy@6", "poke_test", "material"),
    ),
    batch_size=32,
)
