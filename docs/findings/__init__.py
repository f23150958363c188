"""Pages of what was found, made from the committed results: figures, text and all numbers in it."""

from pathlib import Path

from embodied_ssl.datasets.gallery import template
from findings import body, lecture
from findings.committed import NotThere
from findings.section import page
from findings.words import NOT, PARTLY, SHOWN

CHARTS = Path(template.__file__).with_name("chart_style.html.j2")
"""How charts look in reports, in colours of the page around them."""

LECTURE = """# The lecture, reproduced

Each figure and table of a lecture on self-supervised learning, the papers' numbers beside ours. Ours are of images that
simulated bodies saw, small networks and hours of two cores, instead of ImageNet and weeks of GPUs: so what can be
compared is which way a result goes, not how high it is. Every number is a mean over seeds with a 95 % interval; the
sentences in coloured frames are made from these numbers, and say *the same way* only where intervals are apart, or
that of the difference of runs with the same seed, which see the same divisions and labels, leaves out zero."""

BODY = """# What a body adds

Experiments in which the images are the same, or the budget is, and what differs is what a body gives: views of an
object that it holds, motor signals that are its own, what it feels. Every number is a mean over seeds with a 95 %
interval, measured on rooms and objects that were never seen; the sentences in coloured frames are made from these
numbers, and say *shown* only where intervals are apart, or that of the difference of runs with the same seed, which
see the same divisions and labels, leaves out zero."""


def pages() -> dict[str, str | bytes]:
    """The pages, by path, and the style of charts."""
    try:
        overview = "## All methods on all sets\n\n" + lecture.overview()
    except NotThere:
        overview = ""
    same = {SHOWN: "the same way", PARTLY: "in part", NOT: "not shown"}
    shown = {SHOWN: "shown", PARTLY: "in part", NOT: "not shown"}
    return {
        "findings/lecture.md": page(LECTURE, lecture.SECTIONS, same, overview),
        "findings/body.md": page(BODY, body.SECTIONS, shown),
        "charts.css": CHARTS.read_text(encoding="utf-8"),
    }
