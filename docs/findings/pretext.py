"""The lecture, first part: pretext tasks, and what bodies learn."""

from findings import papers
from findings.committed import PIXELS, UNTRAINED, committed, plain
from findings.drawing import bars, beside, curves
from findings.groups import IMAGES, cells_of, claims_of, dotted, grouped, side_by_side, ways
from findings.section import Section
from findings.words import compare, said


def rotation() -> Section:
    """RotNet."""
    found, row = committed("lecture"), "rotation"
    groups = grouped(found, ("rooms", "CIFAR-10, 1 %", "CIFAR-10, 10 %", "clothes, 1 %"), row, "labels")
    photographs = found.curve("few_labels", "accuracy", "cifar10").of(PIXELS, found.untrained(row), row, "labels")
    rooms = found.curve("few_labels", "accuracy", "roam_test").of(PIXELS, found.untrained(row), row, "labels")
    return Section(
        "Gidaris, Singh & Komodakis, ICLR 2018",
        [
            *side_by_side("The paper: three tasks of VOC", papers.ROTATION, "Here: rooms and photographs", groups, row),
            curves("Photographs (CIFAR-10) over labels", photographs, IMAGES, row),
            curves("Rooms over labels", rooms, IMAGES, row),
        ],
        "An image is turned by a quarter, a half, three quarters or not at all, and the network says which. Of the "
        f"way from random weights to labels the paper's goes {ways(papers.ROTATION, row, papers.IMAGENET)}; ours "
        f"{ways(groups, row, 'labels')}. Labels are those of ImageNet there and the names of rooms here, so both "
        "are far from the photographs that are asked for.",
        claims_of(groups, row, UNTRAINED),
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


def transfer() -> Section:
    """Boxes, pixels, surfaces."""
    found, row = committed("transfer"), "rotation"
    untrained = found.untrained(row)
    rescaled = f"{untrained} rescaled"
    rows = found.has(PIXELS, untrained, rescaled, *(one.name for one in found.study.rows))
    measures = {
        "boxes of things on a table": found.measure("detection", "frozen AP50", "tables_known"),
        "pixels of things on a table": found.measure("segmentation", "linear mIoU", "tables_known"),
        "pixels of things in rooms": found.measure("segmentation", "linear mIoU", "rooms_known"),
        "pixels of the thing in a hand": found.measure("segmentation", "linear mIoU", "held_known"),
        "how surfaces are turned in rooms": found.measure("normals", "mean angle", "rooms_known"),
    }
    shown = {
        name: measured.of(*(each for each in rows if each in measured.cells)) for name, measured in measures.items()
    }
    return Section(
        "Gidaris, Singh & Komodakis, ICLR 2018, its table of transfer; rescaled: Krähenbühl et al., ICLR 2016",
        [
            *(bars(f"The paper: {what}", papers.ROTATION[what], row) for what in ("detection", "segmentation")),
            *(bars(name[0].upper() + name[1:], measured, row) for name, measured in shown.items()),
        ],
        "What the simulator knows exactly is asked of frozen features: boxes by Faster R-CNN, and by a 1 × 1 layer "
        "the class of each pixel (thing, floor, wall) and the way a surface is turned. Rescaled are random weights "
        "whose channels vary alike on images; labels are the categories of held objects.",
        [
            each
            for name, measured in measures.items()
            for than in (untrained, rescaled)
            for each in compare(measured, row, than, name)
        ],
        [found],
    )


def split_brain() -> Section:
    """Split-brain."""
    found, row = committed("lecture"), "split_brain"
    names = ("rooms", "materials", "CIFAR-10, 1 %", "CIFAR-10, 10 %")
    groups = grouped(found, names, row, "colorization", "labels")
    rows = (PIXELS, found.untrained(row), "colorization", row, "labels")
    photographs = found.curve("few_labels", "accuracy", "cifar10").of(*rows)
    return Section(
        "Zhang, Isola & Efros, CVPR 2017",
        [
            dotted("Here: both halves, and one direction", groups, row, "colorization"),
            curves("Photographs (CIFAR-10) over labels", photographs, IMAGES, row),
        ],
        "One half of the network sees lightness and says colour, the other sees colour and says lightness. The paper's "
        "claim: together they carry further than colorization, which is one of the two directions. Random weights are "
        "those of the network in two halves.",
        [*claims_of(groups, row, UNTRAINED), *claims_of(groups, row, "colorization")],
        [found],
    )


def temporal_order() -> Section:
    """Shuffle and learn."""
    found, row = committed("lecture"), "temporal_order"
    groups = grouped(found, ("rooms", "objects", "CIFAR-10, 10 %"), row, "labels")
    return Section(
        "Misra, Zitnick & Hebert, ECCV 2016",
        side_by_side("The paper: actions in videos", papers.ORDER, "Here: single images", groups, row),
        "Three frames of a video, in order or not. The paper fine-tunes the whole network to name actions; here the "
        "network is frozen and a line is fitted to single images, which asks for what does not move.",
        claims_of(groups, row, UNTRAINED),
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
    own = {name: cells_of(found, measured, row, "labels") for name, measured in groups.items()}
    paper = {name: {row if of == "robot" else of: cell for of, cell in measured.cells.items()}
             for name, measured in papers.ROBOT.items()}  # fmt: skip
    return Section(
        "Pinto, Gandhi, Han, Park & Gupta, ECCV 2016",
        side_by_side("The paper: a linear classifier", paper, "Here: objects on tables never seen", own, row),
        "A robot that grasps, pushes, pokes and sees objects again. Of the way from random weights to labels its "
        f"features go {ways(paper, row, papers.IMAGENET)} in the paper; here {ways(own, row, 'labels')}, by six "
        "labelled images of each category or material, or by all.",
        claims_of(own, row, UNTRAINED),
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
