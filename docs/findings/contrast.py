"""The lecture, second part: contrast, distillation, masks, words, and few labels."""

import math
from dataclasses import replace

from embodied_ssl.datasets.gallery.charts import COLOURS
from embodied_ssl.report.tables import Cell
from findings import papers
from findings.committed import PIXELS, UNTRAINED, Measured, committed, plain
from findings.drawing import BLUE, GREEN, GREY, LIGHT, ORANGE, bars, curves, dots
from findings.groups import cells_of, claims_of, dotted, grouped, on_all_sets
from findings.pictures import pictures_of
from findings.section import Section
from findings.words import Comparison, compare, said

PICTURED = {"held": "hold_test", "tables": "tables_test"}
"""Objects off the middle, by what they are of."""
PRETEXT = ("rotation", "relative_patch", "jigsaw", "context_encoder", "colorization", "split_brain")


def simclr() -> Section:
    """SimCLR's linear probe."""
    found, row = committed("lecture"), "simclr"
    rows = (PIXELS, found.untrained(row), *PRETEXT, row, "labels")
    photographs = on_all_sets(found)["CIFAR-10, 10 %"].of(*rows)
    rooms = on_all_sets(found)["rooms"].of(*rows)
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
    figures, claims, updates = [], [], []
    for method, what in kinds.items():
        own = _over_rows(measured, f"{method}, {what} of ")
        places = sorted({float(one.metric.partition("@")[2]) for one in own.results})
        if what == "batch":
            updates = [f"{own.results[0].samples / place:,.0f} of {place:.0f}" for place in (places[-1], places[0])]
        figures.append(curves(f"{plain(method)}: size of the {what}", own, f"size of the {what}", method))
        least, most = (own.at(place).cells[method] for place in (places[0], places[-1]))
        claims.append(
            Comparison(f"{what} of {places[-1]:.0f}", f"one of {places[0]:.0f}", "objects never seen", most, least)
        )
    return Section(
        "Chen et al. 2020; He, Fan, Wu, Xie & Girshick, CVPR 2020",
        figures,
        "The more others an image is told from, the better, say both papers: SimCLR by batches of up to 8,192, MoCo "
        "by a queue of up to 65,536 beside a batch of 256. All rows see as many samples, and each has the best of "
        f"three rates; so a large batch makes few updates, here {' instead of '.join(updates)}. The papers' "
        "runs are thousands of times as long.",
        claims,
        [found],
    )


def moco() -> Section:
    """MoCo, in one protocol for all."""
    found, rows = committed("lecture"), ("relative_patch", "rotation", "simclr", "moco v2", "moco v3", "labels")
    shown = on_all_sets(found)["CIFAR-10, 10 %"].of(found.untrained("simclr"), *rows)
    objects = on_all_sets(found)["objects"].of(found.untrained("simclr"), *rows)
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
    groups = {name: cells_of(found, own, *rows, "labels") for name, own in measures.items()}
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
        [*claims_of(groups, rows[-1], UNTRAINED), *claims_of(groups, rows[-1], "labels")],
        [found],
        pictures_of("attention"),
    )


def mae() -> Section:
    """MAE."""
    found, row = committed("lecture"), "mae"
    groups = grouped(found, ("rooms", "CIFAR-10, 10 %", "clothes, 1 %"), row)
    return Section(
        "He, Chen, Xie, Li, Dollár & Girshick, CVPR 2022",
        [
            bars("The paper: fine-tuned on ImageNet", papers.MASKED, "mae"),
            dotted("Here: frozen features", groups, row),
        ],
        "A transformer sees a quarter of the patches and fills in the others. The paper fine-tunes a ViT-B; here a "
        "line is fitted to the frozen features of a small one, which the paper, too, finds the weaker measure of "
        "what MAE learns.",
        claims_of(groups, row, UNTRAINED),
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
        "by name alone": {row: named.cells[row], "chance": replace(chance, half=math.nan)},  # known, not measured
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
    """A hundredth and a tenth of the labels."""
    found = committed("semi_supervised")
    alone = ("labels", "labels, flips and shifts")
    methods = ("pseudo-label", "VAT", "S4L", "UDA", "FixMatch")
    names = (*alone, *methods)
    bright = dict(zip(names, (GREEN, GREY, ORANGE, BLUE, *COLOURS[3:]), strict=False))
    shares = [f"{percent} %{{of}}{init}" for percent in (1, 10) for init in ("", ", from the zoo")]
    photographs, begun = found.measure("classifier", "accuracy", "cifar10"), "labels, 1 %, from the zoo"
    charts, claims = [bars("S4L: ImageNet, 10 % of labels", papers.FEW_PERCENT, "S4L")], []
    for title, on, of in (("CIFAR-10", "cifar10", ""), ("rooms never seen", "roam_test", " of rooms")):
        if not found.has(f"labels, 1 %{of}"):
            continue  # until they are learned too
        measured = found.measure("classifier", "accuracy", on)
        rows = {share: {name: f"{name}, {share.format(of=of)}" for name in names} for share in shares}
        groups = {
            share.format(of=""): {name: measured.cells[row] for name, row in own.items() if row in measured.cells}
            for share, own in rows.items()
        }
        if there := {share: cells for share, cells in groups.items() if cells}:
            charts.append(dots(f"Here: {title}", there, "accuracy of the classifier", bright))
        claims += [
            each
            for share, own in rows.items()
            for name in methods
            for than in alone
            for each in _compared(measured, own[name], own[than], f"{title}, {share.format(of='')}", name, than)
        ]
    return Section(
        "Zhai, Oliver, Kolesnikov & Beyer, ICCV 2019",
        charts,
        "A classifier learned from a few labelled images, and what images without labels add to it: begun with weights "
        "that were drawn, and with those of an encoder that a body taught in simulation. Labels alone learn from crops "
        "with changed colours, or from flips and shifts, as the methods see labelled images. Begun with drawn "
        f"weights and from the zoo, on CIFAR-10: {said(photographs, 'labels, 1 %', begun)}.",
        claims,
        [found],
    )


def _compared(measured: Measured, row: str, than: str, on: str, name: str, other: str) -> list[Comparison]:
    """Two rows by names that leave out what both have in common."""
    return [replace(each, row=name, than=other) for each in compare(measured, row, than, on)]


def _over_rows(measured: Measured, prefix: str) -> Measured:
    """A curve over the number in the names of rows: `simclr, batch of 32` as `simclr` at 32."""
    method = prefix.partition(",")[0]
    own = [one for one in measured.results if one.row.startswith(prefix)]
    places = (f"{one.metric}@{one.row.removeprefix(prefix)}" for one in own)
    at = (replace(one, row=method, row_sha256="", metric=place) for one, place in zip(own, places, strict=True))
    return Measured(tuple(at), measured.study)
