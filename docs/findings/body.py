"""What a body adds: the studies whose rows differ in what a body saw, did and felt."""

from embodied_ssl.datasets.gallery.charts import COLOURS
from embodied_ssl.report.answers import place_of
from findings.committed import PIXELS, UNTRAINED, committed
from findings.drawing import BLUE, GREEN, GREY, LIGHT, ORANGE, bars, curves, dots
from findings.pictures import pictures_of
from findings.section import Makers, Section
from findings.words import Comparison, compare, number, said, times, way

AUGMENTED, HELD = "simclr: augmentation", "simclr: hold, across scenes"


def positives() -> Section:
    """What makes two views of an object."""
    found = committed("positives")
    rows = found.has(*(row.name for row in found.study.rows))
    body = [row for row in rows if "augmentation" not in row and row != "labels"]
    probe = found.measure("linear_probe", "accuracy", "yardstick").of(PIXELS, found.untrained(HELD), *rows)
    few = found.curve("few_labels", "accuracy", "yardstick").of(
        PIXELS, found.untrained(HELD), AUGMENTED, HELD, "labels"
    )
    own, augmented = probe.cells[HELD], probe.cells[AUGMENTED]
    gone = way(probe.cells[UNTRAINED], own, probe.cells["labels"])
    return Section(
        "",
        [
            bars("Category of objects never seen", probe, *body),
            curves("With few objects named", few, "labelled objects of each class", HELD),
        ],
        "SimCLR compares two views of an object with all others. By augmentation the views are two crops of one "
        "image; by a body they are what it sees of one object that it holds and turns in several scenes, so that "
        f"nothing but the object is alike in both. Same images, same budget, same search of settings: {number(own)} "
        f"by the body, {number(augmented)} by augmentation, {times(own, augmented)}; {gone} of the way from random "
        "weights to labels.",
        [
            each
            for than in (AUGMENTED, PIXELS, UNTRAINED)
            for each in compare(probe, HELD, than, "objects never seen")
        ],
        [found],
        pictures_of("nearest"),
    )  # fmt: skip


def carousel() -> Section:
    """Whose motor signals."""
    found = committed("carousel")
    motors = {"own": ORANGE, "yoked": BLUE, "delayed": COLOURS[3], "none": LIGHT}
    methods = list(dict.fromkeys(row.name.partition(",")[0] for row in found.study.rows if "," in row.name))
    shown, claims = [], []
    for title, metric in {"The motion between two images": "R² MLP", "The image after a motion": "MRR"}.items():
        measured = found.measure("relative_motion", metric, "roam_test")
        groups = {
            method: {motor: measured.cells[f"{method}, {motor}"] for motor in motors
                     if f"{method}, {motor}" in measured.cells}
            for method in methods
        }  # fmt: skip
        base = measured.cells[found.untrained(f"{methods[0]}, own")].mean
        rules = {"random weights": base}
        shown.append(dots(title, {name: own for name, own in groups.items() if own}, metric, motors, rules=rules))
        moved = [method for method in methods if method != "simclr"]
        claims += [
            each for method in moved for each in compare(measured, f"{method}, own", f"{method}, yoked", title.lower())
        ]
    return Section(
        "Held & Hein, 1963",
        shown,
        "Of two kittens one walks, and the other is carried about by it and sees the same; only the one that walks "
        "comes to see depth. Here all arms see the same video, byte by byte: with the motor signals of the body "
        "that made it, or with those of another episode (yoked). R² of the motion from the features of two images, "
        "and the rank (MRR) of the image after a motion among the others of its room. SimCLR has no use for motor "
        "signals: its arms should be alike.",
        claims,
        [found],
    )


def touch() -> Section:
    """What each sense learns."""
    found = committed("touch")
    senses = found.has("grasping alone", "pushing alone", "poking alone", "seeing again alone", "all senses")
    rows = (PIXELS, found.untrained("all senses"), *senses, "labels")
    asked = {
        "Whether a grasp holds": ("grasping alone", "senses", "area under curve", "tables_test", ""),
        "Stiffness": ("poking alone", "physics", "R² log stiffness", "poke_test", ""),
        "Which way a push went": ("pushing alone", "senses", "R² way of a push", "push_test", ""),
        "Mass": ("pushing alone", "physics", "R² log mass", "poke_test", ""),
        "How far a push moves an object": ("pushing alone", "senses", "R² displacement", "push_test", ""),
        "The same object again": ("seeing again alone", "retrieval", "instance recall@1", "tables_test", ""),
        "Material, six labelled images": ("all senses", "few_labels", "accuracy@6", "poke_test", "material"),
    }
    measures = {title: (sense, found.measure(*of).of(*rows)) for title, (sense, *of) in asked.items()}
    grasps = found.curve("grasping", "success", "tables_test").of(
        PIXELS, found.untrained("all senses"), "grasping alone", "all senses"
    )
    return Section(
        "after Pinto et al., ECCV 2016",
        [
            *(bars(title, measured, sense) for title, (sense, measured) in measures.items()),
            curves("Grasps carried out", grasps, "labelled grasps", "grasping alone", "all senses"),
        ],
        "An arm grasps, pushes and pokes what lies on tables, and sees it again; each sense learns alone, or all "
        "together. Each figure asks for what one sense, in orange, should know, of objects never touched: "
        + "; ".join(f"{title.lower()}: {said(own, sense, UNTRAINED)}" for title, (sense, own) in measures.items())
        + ". At the end grasps are carried out, chosen by what was learned and a number of labelled tries.",
        [
            *(
                each
                for title, (sense, own) in measures.items()
                for each in compare(own, sense, UNTRAINED, title.lower())
            ),
            *compare(grasps.at(1000), "grasping alone", UNTRAINED, "grasps carried out"),
        ],
        [found],
    )


def shown() -> Section:
    """Demonstrations."""
    found, senses = committed("imitation"), "touch: all senses"
    tasks = {"Pressing a button": "press_shown", "Picking and placing": "pick_place_shown"}
    rows = found.has(*(each.name for each in found.study.rows))
    own = {title: found.curve("imitation", "success", on) for title, on in tasks.items()}
    measures = {title: each.of(PIXELS, found.untrained(senses), *rows) for title, each in own.items()}
    state = {title: found.curve("imitation", "success by state", on).of(senses) for title, on in tasks.items()}
    fewest = min(place for one in state["Pressing a button"].results for place in [place_of(one, "")] if place)
    told = "; ".join(
        f"{title.lower()}: {said(measures[title].at(fewest), senses, UNTRAINED)}, by the simulator's state "
        f"{number(each.at(fewest).cells[senses])}"
        for title, each in state.items()
    )
    return Section(
        "",
        [curves(title, each, "demonstrations", senses) for title, each in measures.items()],
        "A policy is cloned from demonstrations on top of what was learned, which stays as it is, and then acts on "
        f"tables never seen. Success after {fewest:.0f} demonstrations, {told}.",
        [each for title, of in measures.items() for each in compare(of.at(fewest), senses, UNTRAINED, title.lower())],
        [found],
    )


def few_labels() -> Section:
    """To real photographs."""
    found = committed("few_labels")
    both, augmented = "simclr: hold and path", "simclr: augmentation"
    rows = (PIXELS, found.untrained(both), augmented, both, "rotation", "equivariance", "labels of simulated objects")
    curve = {on: found.curve("few_labels", "accuracy", on).of(*rows) for on in ("cifar10", "fashion_mnist")}
    one, ten = (curve["cifar10"].at(count) for count in (50, 500))
    return Section(
        "",
        [
            curves("Photographs (CIFAR-10)", curve["cifar10"], "labelled images of each class", both, augmented),
            curves("Clothes (Fashion-MNIST)", curve["fashion_mnist"], "labelled images of each class", both, augmented),
        ],
        "Nothing but simulated rooms and objects was learned from; then a line is fitted to the features of a few "
        "labelled photographs. With 1 % of CIFAR-10's labels (50 of each class): "
        f"{said(one, both, augmented, PIXELS, UNTRAINED)}, so {times(one.cells[both], one.cells[UNTRAINED])} random "
        "weights. Views of hand and path are two streams: that row sees twice as many images.",
        [
            each
            for name, measured in {"1 % of CIFAR-10": one, "10 % of CIFAR-10": ten}.items()
            for than in (UNTRAINED, PIXELS, augmented)
            for each in compare(measured, both, than, name)
        ],
        [found],
    )


def one_learner() -> Section:
    """All together."""
    found, every = committed("one_learner"), "all of them"
    parts = {"views: hold and path": BLUE, "motion: equivariance": COLOURS[3], "touch: curious robot": COLOURS[4]}
    sets = {
        "rooms": ("roam_test", "scene"),
        "objects": ("yardstick", "category"),
        "objects on tables": ("poke_test", "category"),
        "materials": ("poke_test", "material"),
    }
    rows = (found.untrained(every), *parts, every, "labels")
    ways = {"linear_probe": "A linear probe of each set", "knn": "Nearest neighbours in each set"}
    measures = {way: {name: found.measure(way, "accuracy", *on).of(*rows) for name, on in sets.items()} for way in ways}
    colours = {UNTRAINED: GREY, **parts, every: ORANGE, "labels": GREEN}
    return Section(
        "",
        [
            dots(ways[way], {name: own.cells for name, own in each.items()}, "accuracy", colours)
            for way, each in measures.items()
        ],
        "Views of hand and path, motion and touch, each alone and all in one network. The claim that would be worth "
        "having: one learner is at least as good as the best of its parts everywhere.",
        [
            each
            for name, own in measures["linear_probe"].items()
            for part in parts
            for each in compare(own, every, part, name)
        ],
        [found],
    )


def attention() -> Section:
    """Where a transformer looks."""
    found = committed("attention")
    row = "dino: hold, across scenes"
    rows = found.has(*(each.name for each in found.study.rows))
    names = {"held objects": "hold_test", "tables": "tables_test"}
    simple = {"disc in the middle": "Jaccard of a disc in the middle", "whole picture": "Jaccard of the whole picture"}
    groups, claims = {}, []
    best = {
        name: found.measure("attention", "Jaccard, best head of each picture", on).of(found.untrained(row), *rows).cells
        for name, on in names.items()
    }
    for name, on in names.items():
        own = found.measure("attention", "Jaccard", on).of(found.untrained(row), *rows)
        blind = {
            what: next(iter(found.measure("attention", metric, on).cells.values())) for what, metric in simple.items()
        }
        groups[name] = {**blind, **own.cells}
        beaten = [than for than in (*simple, UNTRAINED, "labels", "dino: augmentation") if than in groups[name]]
        claims += [Comparison(row, than, name, groups[name][row], groups[name][than]) for than in beaten]
    colours = {"disc in the middle": LIGHT, "whole picture": "#b9a06a", UNTRAINED: GREY, "labels": GREEN, row: ORANGE}
    others = [each for each in rows if each not in colours]
    colours |= {each: COLOURS[(5 + i) % len(COLOURS)] for i, each in enumerate(others)}
    return Section(
        "after Caron et al., ICCV 2021",
        [
            dots("Where it looks: one head", groups, "Jaccard index with the objects' masks", colours, beside=[best]),
            dots("The best head of each picture: an upper bound", best, "Jaccard index", colours, beside=[groups]),
        ],
        "One head of the [CLS] token, chosen on other objects, against the simulator's masks, on pictures whose "
        "object is not in the middle. What looks at no picture is measured beside it: a disc in the middle, and the "
        "whole picture. On tables, which no row has seen: "
        f"{said(found.measure('attention', 'Jaccard', 'tables_test'), row)}.",
        claims,
        [found],
        pictures_of("attention"),
    )


SECTIONS: Makers = {
    "Two views of an object": positives,
    "The kittens in the carousel": carousel,
    "Touch": touch,
    "From simulation to photographs": few_labels,
    "Shown what to do": shown,
    "One learner": one_learner,
    "Attention without labels": attention,
}
