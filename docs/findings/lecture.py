"""The lecture, reproduced: its figures and tables, the papers' numbers beside ours."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from embodied_ssl.datasets.gallery.charts import COLOURS
from embodied_ssl.datasets.gallery.template import Figure
from embodied_ssl.report.tables import Cell, row_order
from findings import papers
from findings.committed import PIXELS, UNTRAINED, Committed, Measured, committed, plain
from findings.drawing import BLUE, GREEN, GREY, LIGHT, ORANGE, bars, beside, curves, dots, matrix
from findings.pictures import pictures_of
from findings.section import Makers, Section, made_by
from findings.words import Comparison, compare, listed, said, way

Groups = Mapping[str, Mapping[str, Cell]]
"""Cells of several rows, by what they were measured on."""
IMAGES = "labelled images of each class"
SETS = {
    "rooms": ("linear_probe", "accuracy", "roam_test", ""),
    "objects": ("linear_probe", "accuracy", "yardstick", ""),
    "materials": ("linear_probe", "accuracy", "poke_test", "material"),
    "CIFAR-10, 1 %": ("few_labels", "accuracy@50", "cifar10", ""),
    "CIFAR-10, 10 %": ("few_labels", "accuracy@500", "cifar10", ""),
    "clothes, 1 %": ("few_labels", "accuracy@50", "fashion_mnist", ""),
}
"""What all rows are measured on: of rooms, objects and materials all labels; of images 50 or 500 of each class."""
PICTURED = {"held": "hold_test", "tables": "tables_test"}
"""Objects off the middle, by what they are of."""
PRETEXT = ("rotation", "relative_patch", "jigsaw", "context_encoder", "colorization", "split_brain")


def overview() -> str:
    """All methods on all sets, in one table. Raises NotThere as all sections do."""
    found = committed("lecture")
    measures = _measures(found)
    rows = found.has(*(row.name for row in found.study.rows))
    untrained = {row: found.untrained(row) for row in rows}
    won = {row: _won(measures, row, untrained[row]) for row in rows if row_order(row)[0] < 2}
    twice = [row for row, count in won.items() if count >= 2]
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
            f"two of the {len(measures)} sets, intervals apart.**{not_one} Labels, the last row, are the names of "
            "rooms.",
            made_by(found),
        ]
    )


def rotation() -> Section:
    """RotNet."""
    found, row = committed("lecture"), "rotation"
    groups = _groups(found, ("rooms", "CIFAR-10, 1 %", "CIFAR-10, 10 %", "clothes, 1 %"), row, "labels")
    photographs = found.curve("few_labels", "accuracy", "cifar10").of(PIXELS, found.untrained(row), row, "labels")
    rooms = found.curve("few_labels", "accuracy", "roam_test").of(PIXELS, found.untrained(row), row, "labels")
    return Section(
        "Gidaris, Singh & Komodakis, ICLR 2018",
        [
            *_beside("The paper: three tasks of VOC", papers.ROTATION, "Here: rooms and photographs", groups, row),
            curves("Photographs (CIFAR-10) over labels", photographs, IMAGES, row),
            curves("Rooms over labels", rooms, IMAGES, row),
        ],
        "An image is turned by a quarter, a half, three quarters or not at all, and the network says which. Of the "
        f"way from random weights to labels the paper's goes {_ways(papers.ROTATION, row, papers.IMAGENET)}; ours "
        f"{_ways(groups, row, 'labels')}. Labels are those of ImageNet there and the names of rooms here, so both "
        "are far from the photographs that are asked for.",
        _claims(groups, row, UNTRAINED),
        [found],
    )


def saved_labels() -> Section:
    """RotNet's curve over labels."""
    found, row = committed("photographs"), "rotation"
    rows = found.has("context_encoder", "colorization", "split_brain", "moco v2", "simclr")
    trained = found.curve("semi_supervised", "accuracy", "cifar10").of(found.untrained(row), *rows, row, "labels")
    frozen = found.curve("few_labels", "accuracy", "cifar10").of(PIXELS, found.untrained(row), *rows, row, "labels")
    return Section(
        "Gidaris, Singh & Komodakis, ICLR 2018, its figure of few labels",
        [
            curves("Trained on from half-way", trained, IMAGES, row),
            curves("A line on frozen features", frozen, IMAGES, row),
        ],
        "As in the paper, on CIFAR-10: the first half of the network stays as it was learned without labels, the "
        "rest is trained on few labelled images. Random weights are trained whole, on the same labels alone; labels "
        "are all of CIFAR-10's. The paper's claim: with few labels rotation is ahead of labels alone. Here with 20 "
        f"of each class {said(trained.at(20), row, UNTRAINED)}, with 100 {said(trained.at(100), row, UNTRAINED)}.",
        [each for n in (20, 100) for each in compare(trained.at(n), row, UNTRAINED, f"{n} labels of each class")],
        [found],
    )


def split_brain() -> Section:
    """Split-brain."""
    found, row = committed("lecture"), "split_brain"
    names = ("rooms", "materials", "CIFAR-10, 1 %", "CIFAR-10, 10 %")
    groups = _groups(found, names, row, "colorization", "labels")
    rows = (PIXELS, found.untrained(row), "colorization", row, "labels")
    photographs = found.curve("few_labels", "accuracy", "cifar10").of(*rows)
    return Section(
        "Zhang, Isola & Efros, CVPR 2017",
        [
            _dots("Here: both halves, and one direction", groups, row, "colorization"),
            curves("Photographs (CIFAR-10) over labels", photographs, IMAGES, row),
        ],
        "One half of the network sees lightness and says colour, the other sees colour and says lightness. The paper's "
        "claim: together they carry further than colorization, which is one of the two directions. Random weights are "
        "those of the network in two halves.",
        [*_claims(groups, row, UNTRAINED), *_claims(groups, row, "colorization")],
        [found],
    )


def temporal_order() -> Section:
    """Shuffle and learn."""
    found, row = committed("lecture"), "temporal_order"
    groups = _groups(found, ("rooms", "objects", "CIFAR-10, 10 %"), row, "labels")
    return Section(
        "Misra, Zitnick & Hebert, ECCV 2016",
        _beside("The paper: actions in videos", papers.ORDER, "Here: single images", groups, row),
        "Three frames of a video, in order or not. The paper fine-tunes the whole network to name actions; here the "
        "network is frozen and a line is fitted to single images, which asks for what does not move.",
        _claims(groups, row, UNTRAINED),
        [found],
    )


def equivariance() -> Section:
    """Equivariance, with six labels."""
    found, moved = committed("lecture"), committed("carousel")
    rivals = ("temporal_coherence", "drlim", "egomotion")
    rows = (PIXELS, found.untrained("equivariance"), *rivals, "equivariance", "continuous_equivariance", "labels")
    six = found.measure("few_labels", "accuracy@6", "roam_test").of(*rows)
    rho = moved.measure("equivariance", "ρ composed", "roam_test").of(
        moved.untrained("equivariance, own"), "equivariance, own", "continuous, own", "ego-motion, own", "labels"
    )
    base = six.cells[UNTRAINED]
    return Section(
        "Jayaraman & Grauman, ICCV 2015",
        [
            bars("Rooms by six labelled images of each", six, "equivariance", "continuous equivariance"),
            bars("Motions never trained on: equivariance error", rho, "equivariance, own", "continuous, own"),
        ],
        "The network learns what its features do when the body turns or walks. The paper names places by six labelled "
        "images of each, ahead of random weights, temporal coherence, DrLIM and the prediction of ego-motion: here "
        f"{said(six, 'equivariance')} (random weights {base.text} {base.interval}). Beside it the error of the maps on "
        "motions composed of two, on which none was trained: 1 is no better than standing still.",
        [
            *(
                each
                for rival in (UNTRAINED, *rivals)
                for each in compare(six, "equivariance", plain(rival), "six labels")
            ),
            *compare(rho, "equivariance, own", UNTRAINED, "equivariance error"),
        ],
        [found, moved],
    )


def robot_classifier() -> Section:
    """Curious Robot's first table."""
    found, row = committed("touch"), "all senses"
    groups = {
        "category": found.measure("few_labels", "accuracy@6", "tables_test", "category"),
        "material": found.measure("few_labels", "accuracy@6", "poke_test", "material"),
        "material, all": found.measure("physics", "material accuracy", "poke_test"),
    }
    own = {name: _cells(found, measured, row, "labels") for name, measured in groups.items()}
    paper = {name: {row if of == "robot" else of: cell for of, cell in measured.cells.items()}
             for name, measured in papers.ROBOT.items()}  # fmt: skip
    return Section(
        "Pinto, Gandhi, Han, Park & Gupta, ECCV 2016",
        _beside("The paper: a linear classifier", paper, "Here: objects on tables never seen", own, row),
        "A robot that grasps, pushes, pokes and sees objects again. Of the way from random weights to labels its "
        f"features go {_ways(paper, row, papers.IMAGENET)} in the paper; here {_ways(own, row, 'labels')}, by six "
        "labelled images of each category or material, or by all.",
        _claims(own, row, UNTRAINED),
        [found],
    )


def robot_retrieval() -> Section:
    """Curious Robot's second table."""
    found, row = committed("touch"), "all senses"
    figures, claims = [], []
    for what, metric in {"instance": "instance recall", "category": "class recall"}.items():
        ours = found.curve("retrieval", metric, "tables_test")
        shown = ours.of(found.untrained(row), row, "labels")
        alike = {"robot": row, UNTRAINED: UNTRAINED, papers.IMAGENET: "labels"}
        figures.append(beside(f"The same {what}", papers.RECALL[what], shown, "images looked at", alike, row))
        claims += compare(shown.at(1), row, UNTRAINED, f"the nearest image, {what}")
    first = found.curve("retrieval", "instance recall", "tables_test").at(1)
    return Section(
        "The same paper",
        figures,
        "Whether one of the images nearest to an image shows the same object, or one of its category; dashed is the "
        "paper, on UW RGB-D. Here the nearest image shows the same object: "
        f"{said(first.of(found.untrained(row), row, 'labels'), UNTRAINED, row, 'labels')}.",
        claims,
        [found],
    )


def simclr() -> Section:
    """SimCLR's linear probe."""
    found, row = committed("lecture"), "simclr"
    rows = (PIXELS, found.untrained(row), *PRETEXT, row, "labels")
    photographs = _measures(found)["CIFAR-10, 10 %"].of(*rows)
    rooms = _measures(found)["rooms"].of(*rows)
    return Section(
        "Chen, Kornblith, Norouzi & Hinton, ICML 2020",
        [
            bars("Photographs (CIFAR-10, 10 % of the labels)", photographs, row),
            bars("Rooms never seen", rooms, row),
        ],
        "Two crops of an image, coloured differently, are to be told from the crops of all other images of the "
        "batch. The paper's first figure: by a linear probe it is far ahead of every pretext task before it.",
        [
            each
            for rival in (UNTRAINED, *PRETEXT)
            for name, measured in {"photographs": photographs, "rooms": rooms}.items()
            for each in compare(measured, row, plain(rival), name)
        ],
        [found],
    )


def batch_size() -> Section:
    """How many others an object is compared with."""
    found = committed("batch_size")
    measured = found.measure("linear_probe", "accuracy", "yardstick")
    kinds = {"simclr": "batch", "moco": "queue"}
    figures, claims = [], []
    for method, what in kinds.items():
        own = _over_rows(measured, f"{method}, {what} of ")
        places = sorted({float(one.metric.partition("@")[2]) for one in own.results})
        figures.append(curves(f"{plain(method)}: size of the {what}", own, f"size of the {what}", method))
        least, most = (own.at(place).cells[method] for place in (places[0], places[-1]))
        claims.append(
            Comparison(f"{what} of {places[-1]:.0f}", f"of {places[0]:.0f}", "objects never seen", most, least)
        )
    return Section(
        "Chen et al. 2020; He, Fan, Wu, Xie & Girshick, CVPR 2020",
        figures,
        "The more others an image is told from, the better, say both papers: SimCLR by batches of up to 8,192, MoCo "
        "by a queue of up to 65,536 beside a batch of 256. All rows see as many samples, and each has the best of "
        "three rates.",
        claims,
        [found],
    )


def moco() -> Section:
    """MoCo, in one protocol for all."""
    found, rows = committed("lecture"), ("relative_patch", "rotation", "simclr", "moco v2", "moco v3", "labels")
    shown = _measures(found)["CIFAR-10, 10 %"].of(found.untrained("simclr"), *rows)
    objects = _measures(found)["objects"].of(found.untrained("simclr"), *rows)
    return Section(
        "He, Fan, Wu, Xie & Girshick, CVPR 2020; Chen, Fan, Girshick & He 2020",
        [
            bars("MMSelfSup: finding objects in photographs", papers.TRANSFER, "moco v2"),
            bars("Here: photographs (CIFAR-10, 10 %)", shown, "moco v2", "moco v3"),
        ],
        "What an image is told from comes out of a queue, encoded by a slowly moving copy of the network. By one "
        "protocol for all (Faster R-CNN, MMSelfSup's tables) MoCo v2 is ahead of SimCLR and the pretext tasks, by "
        "little; not of labels. Here a line on frozen features.",
        [
            each
            for name, measured in {"photographs": shown, "objects": objects}.items()
            for rival in (UNTRAINED, "relative patch", "rotation", "simclr")
            for each in compare(measured, "moco v2", rival, name)
        ],
        [found],
    )


def dino() -> Section:
    """DINO's attention."""
    found, metric = committed("attention"), "Jaccard, best head of each picture"
    rows = ("dino: augmentation", "dino: hold, across scenes")
    measures = {name: found.measure("attention", metric, on) for name, on in PICTURED.items()}
    groups = {name: _cells(found, own, *rows, "labels") for name, own in measures.items()}
    colours = {UNTRAINED: GREY, "labels": GREEN, rows[0]: COLOURS[4], rows[-1]: ORANGE, "dino": ORANGE}
    paper = {"VOC 2012": papers.ATTENTION.cells}
    return Section(
        "Caron, Touvron, Misra, Jégou, Mairal, Bojanowski & Joulin, ICCV 2021",
        [
            dots("The paper: objects of VOC 2012", paper, "Jaccard index", colours, beside=[groups]),
            dots("Here: objects off the middle", groups, "Jaccard index", colours, beside=[paper]),
        ],
        "Where the [CLS] token of a transformer looks, keeping 60 % of its attention, against the masks of the "
        "objects; as in the paper, by the head that fits each picture best. Pictures are windows whose object is "
        f"not in the middle, of held objects and of tables, which none has seen; learned from {found.samples():,} "
        "samples by a transformer of 48 px.",
        [*_claims(groups, rows[-1], UNTRAINED), *_claims(groups, rows[-1], "labels")],
        [found],
        pictures_of("attention"),
    )


def mae() -> Section:
    """MAE."""
    found, row = committed("lecture"), "mae"
    groups = _groups(found, ("rooms", "CIFAR-10, 10 %", "clothes, 1 %"), row)
    return Section(
        "He, Chen, Xie, Li, Dollár & Girshick, CVPR 2022",
        [
            bars("The paper: fine-tuned on ImageNet", papers.MASKED, "mae"),
            _dots("Here: frozen features", groups, row),
        ],
        "A transformer sees a quarter of the patches and fills in the others. The paper fine-tunes a ViT-B; here a "
        "line is fitted to the frozen features of a small one, which the paper, too, finds the weaker measure of "
        "what MAE learns.",
        _claims(groups, row, UNTRAINED),
        [found],
        pictures_of("fill_in"),
    )


def clip() -> Section:
    """CLIP's zero-shot."""
    found, row = committed("lecture"), "clip"
    named = found.measure("zero_shot", "accuracy", "yardstick").of(row)
    probe = found.measure("linear_probe", "accuracy", "yardstick").of(found.untrained(row), row)
    chance = Cell(1 / 40, 0.0, 1)
    groups = {
        "by name alone": {row: named.cells[row], "chance": chance},
        "by a linear probe": {row: probe.cells[row], UNTRAINED: probe.cells[UNTRAINED]},
    }
    return Section(
        "Radford et al., ICML 2021",
        [dots("Category of objects never seen", groups, "accuracy", {row: ORANGE, UNTRAINED: GREY, "chance": LIGHT})],
        "Images and their captions are brought together; then an object of 40 categories is named by the caption "
        f"nearest to it: {said(named, row)}, chance 0.025.",
        [Comparison(row, "chance", "objects never seen", named.cells[row], chance)],
        [found],
    )


def semi_supervised() -> Section:
    """A tenth of the labels."""
    found = committed("semi_supervised")
    measured = found.measure("classifier", "accuracy", "cifar10")
    names = ("labels", "pseudo-label", "VAT", "S4L", "UDA", "FixMatch")
    groups = {
        f"{percent} of labels": {name: measured.cells[f"{name}, {percent}"] for name in names
                                 if f"{name}, {percent}" in measured.cells}
        for percent in ("1 %", "10 %")
    }  # fmt: skip
    bright = dict(zip(names, (GREEN, ORANGE, BLUE, *COLOURS[3:]), strict=False))
    return Section(
        "Zhai, Oliver, Kolesnikov & Beyer, ICCV 2019",
        [
            bars("S4L: ImageNet, 10 % of labels", papers.FEW_PERCENT, "S4L"),
            dots("Here: CIFAR-10", groups, "accuracy of the classifier", bright),
        ],
        "A classifier learned from a few labelled images, and what images without labels add to it.",
        [
            each
            for percent in ("1 %", "10 %")
            for name in names[1:]
            for each in compare(measured, f"{name}, {percent}", f"labels, {percent}", percent)
        ],
        [found],
    )


SECTIONS: Makers = {
    "RotNet: which way up?": rotation,
    "RotNet: how many labels does it save?": saved_labels,
    "Split-brain: lightness and colour": split_brain,
    "Shuffle and learn: is a video in order?": temporal_order,
    "Ego-motion: six labelled images of each room": equivariance,
    "The Curious Robot: what is it?": robot_classifier,
    "The Curious Robot: have I seen it before?": robot_retrieval,
    "SimCLR: two crops of one image": simclr,
    "Large batches and MoCo's queue": batch_size,
    "MoCo: a queue and a slow teacher": moco,
    "DINO: attention finds objects": dino,
    "MAE: three quarters of an image are missing": mae,
    "CLIP: named without a label": clip,
    "One label in ten": semi_supervised,
}
"""In the order of the lecture."""


def _measures(found: Committed) -> dict[str, Measured]:
    return {name: found.measure(*of) for name, of in SETS.items()}


def _cells(found: Committed, measured: Measured, *rows: str) -> dict[str, Cell]:
    """The cells of the encoder before training, and of rows."""
    return measured.of(found.untrained(rows[0]), *rows).cells


def _groups(found: Committed, names: Sequence[str], *rows: str) -> Groups:
    measures = _measures(found)
    return {name: _cells(found, measures[name], *rows) for name in names}


def _beside(
    of_paper: str, paper: Mapping[str, Measured] | Groups, of_ours: str, ours: Groups, *rows: str
) -> list[Figure]:
    """Dots of a paper and ours on one scale."""
    theirs = {name: own.cells if isinstance(own, Measured) else own for name, own in paper.items()}
    return [_dots(of_paper, theirs, *rows, beside=[ours]), _dots(of_ours, ours, *rows, beside=[theirs])]


def _dots(title: str, groups: Groups, *ours: str, beside: Sequence[Groups] = ()) -> Figure:
    colours = {UNTRAINED: GREY, "labels": GREEN, papers.IMAGENET: GREEN}
    bright = dict(zip(map(plain, ours), (ORANGE, BLUE), strict=False))
    return dots(title, groups, "share that is right", colours | bright, beside=beside)


def _claims(groups: Groups, row: str, than: str) -> list[Comparison]:
    row, than = plain(row), plain(than)
    return [Comparison(row, than, name, own[row], own[than]) for name, own in groups.items()]


def _ways(groups: Mapping[str, Measured] | Groups, row: str, labels: str) -> str:
    """How much of the way from random weights to labels a row has gone, on each set."""
    each = {name: own.cells if isinstance(own, Measured) else own for name, own in groups.items()}
    return listed(f"{way(own[UNTRAINED], own[plain(row)], own[labels])} ({name})" for name, own in each.items())


def _won(measures: Mapping[str, Measured], row: str, base: str) -> int:
    """On how many sets a row is above another, intervals apart."""
    return sum(each.is_apart for measured in measures.values() for each in compare(measured, row, base, ""))


def _over_rows(measured: Measured, prefix: str) -> Measured:
    """A curve over the number in the names of rows: `simclr, batch of 32` as `simclr` at 32."""
    method = prefix.partition(",")[0]
    own = [one for one in measured.results if one.row.startswith(prefix)]
    places = (f"{one.metric}@{one.row.removeprefix(prefix)}" for one in own)
    at = (replace(one, row=method, row_sha256="", metric=place) for one, place in zip(own, places, strict=True))
    return Measured(tuple(at), measured.study)
