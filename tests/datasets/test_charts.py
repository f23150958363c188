"""Charts: right intervals and numbers, places on axes, and no code from names."""

import re

import numpy as np
import pytest
from scipy.stats import binomtest

from embodied_ssl.datasets.gallery.charts import (
    NAME_PX,
    Axis,
    Chart,
    number,
    round_step,
    rows_chart,
    shortened,
    wilson,
)


@pytest.mark.parametrize(("successes", "trials"), [(0, 5), (3, 7), (50, 80), (9, 9)])
def test_intervals_are_those_of_wilson(successes, trials):
    expected = binomtest(successes, trials).proportion_ci(0.95, method="wilson")
    np.testing.assert_allclose(wilson(successes, trials), (expected.low, expected.high), atol=1e-4)


def test_names_from_the_data_cannot_become_code(tmp_path):
    evil = "<script>alert(1)</script>"
    chart = Chart(Axis(evil, 0, 1), Axis("y", 0, 1))
    chart.points([0.5], [0.5], "red", [evil], evil)
    assert "<script" not in chart.svg(evil) + rows_chart([evil], [1], [evil], evil)


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0"), (-0.25, "−0.25"), (1234567, "1,234,567"), (0.1 + 0.2, "0.3"), (1e-5, "1e−05")]
)
def test_numbers_are_written_short(value, text):
    assert number(value) == text


def test_axes_put_values_where_they_belong():
    assert Axis("x", -1, 3).share([-1, 1, 3]).tolist() == [0, 0.5, 1]
    np.testing.assert_allclose(Axis("x", 0.1, 1000, log=True).share([0.1, 10, 1000]), [0, 0.5, 1])
    assert [label for _, label in Axis("x", 0.1, 1000, log=True).marks()] == ["0.1", "1", "10", "100", "1,000"]
    assert [value for value, _ in Axis("x", 4, -4).marks()] == [-4, -2, 0, 2, 4]
    assert [round_step(step) for step in (0.9, 1.1, 30, 0.0021)] == [1, 2, 50, 0.005]


def test_ticks_have_as_many_decimals_as_their_steps_need():
    assert [label for _, label in Axis("yaw", 1.562, 1.58).marks()] == ["1.565", "1.570", "1.575", "1.580"]
    assert [label for _, label in Axis("loss", 48.31, 48.52).marks()] == ["48.35", "48.40", "48.45", "48.50"]
    assert next(label for _, label in Axis("force", -200_000, 200_000).marks()) == "−200,000"
    few, many = (Chart(Axis("x", 0, 1), Axis("y", -most, most)).left for most in (2, 200_000))
    assert few < many


def test_long_names_are_cut_in_their_middle_and_stay_different():
    names = ["labels, flips and shifts, 1 %, from the zoo", "labels, flips and shifts, 1 %", "short"]
    cut = shortened(names, 20)
    assert len(set(cut)) == 3
    assert cut[0].startswith("labels, fl")
    assert cut[0].endswith("m the zoo")
    assert cut[2] == "short"
    assert len(set(shortened([f"{'a' * 30}{i}{'b' * 30}" for i in range(3)], 10))) == 3


def test_places_that_are_not_finite_break_a_line():
    chart = Chart(Axis("x", 0, 3), Axis("y", 0, 1))
    chart.lines([([0, 1, 2, 3], [0, np.nan, 1, 0])], "red", "line")
    assert chart.svg("").count("M") - Chart(chart.x, chart.y).svg("").count("M") == 2
    assert chart.svg("").count("h3") == 1  # the first place has no neighbour: a dash


def test_names_of_curves_stand_apart_in_their_order():
    chart = Chart(Axis("x", 0, 1), Axis("y", 0, 1), right=100)
    ends = [("low", 0.0, "red"), ("middle", 0.5, "blue"), ("near", 0.501, "green"), ("high", 0.99, "grey")]
    chart.names(1.0, ends)
    told = re.findall(r'y="([\d.]+)">(low|middle|near|high)<', chart.svg("names"))
    assert [name for _, name in told] == ["high", "near", "middle", "low"]
    places = [float(y) - 4 for y, _ in told]
    assert np.diff(places).min() > NAME_PX - 0.2
    assert places[0] == pytest.approx(float(chart.down(0.99)), abs=0.1)  # what has room stays beside its curve
    assert np.mean(places[1:3]) == pytest.approx(float(chart.down(0.5005)), abs=0.1)
