"""The arguments of a method are its settings: attributes of all of them, without a line that copies them."""

import ast
import copy
import inspect
import json
import pickle
import textwrap
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import numpy as np
import pytest
from torch import nn

from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.read.batches import Frames
from embodied_ssl.encoders import make_encoder
from embodied_ssl.limits import Count, Positive
from embodied_ssl.method import Method, input_streams_of, settings_of
from embodied_ssl.methods import make_method, method_class, method_names

SIZE = 32


@pytest.mark.parametrize("name", method_names())
def test_settings_are_attributes_that_survive_json_pickles_and_copies(name):
    method = make_method(name, None, SIZE)
    told = json.loads(json.dumps(method.settings()))
    assert list(told) == list(settings_of(method_class(name)))
    again = make_method(name, None, SIZE, **told)
    for other in (again, copy.deepcopy(method), pickle.loads(pickle.dumps(method))):
        assert other.settings() == method.settings()
        assert [*other.state_dict()] == [*method.state_dict()]
    for setting, parameter in settings_of(method_class(name)).items():
        if setting != "method_settings":  # which joint fills with the defaults of its methods
            assert getattr(method, setting) == parameter.default


@pytest.mark.parametrize("name", method_names())
def test_no_method_copies_its_settings(name):
    tree = ast.parse(textwrap.dedent(inspect.getsource(method_class(name).__init__)))
    settings = set(settings_of(method_class(name)))
    copied = [
        ast.unparse(line)
        for line in ast.walk(tree)
        if isinstance(line, ast.Assign)
        for target in ast.walk(line.targets[0])
        if isinstance(target, ast.Attribute) and target.attr in settings
    ]
    assert copied == []


class Plain(Method):
    """One setting of its own."""

    def __init__(self, encoder, width: Count = 4):
        super().__init__(encoder)
        self.head = nn.Linear(encoder.dim, self.width)


class Extended(Plain):
    """Those of the class that it extends besides, and one that is no setting but a part of the network."""

    def __init__(self, encoder, scale: Positive = 2.0, teacher: nn.Module | None = None, **settings):
        self.scale_before = self.scale  # known before `nn.Module.__init__`
        super().__init__(encoder, **settings)
        self.teacher = teacher


def encoder():
    return make_encoder("conv4", SIZE)


def test_a_method_that_extends_another_has_the_settings_of_both():
    method = Extended(encoder(), 3, width=5)
    assert list(settings_of(Extended)) == ["scale", "teacher", "width"]
    assert method.settings() == {"scale": 3.0, "teacher": None, "width": 5}
    assert (method.head.out_features, method.scale_before) == (5, 3.0)
    with pytest.raises(DataError, match="width: 0; give at least 1"):
        Extended(encoder(), width=0)


class Ranged(Method):
    """A setting of a fixed length."""

    def __init__(self, encoder, scale: tuple[float, float] = (0.2, 1.0)):
        super().__init__(encoder)


class Given(Ranged):
    """Gives it to the class that it extends, made anew."""

    def __init__(self, encoder, scale: tuple[float, float] = (0.2, 1.0)):
        super().__init__(encoder, scale=(scale[0], scale[1]))


def test_a_fixed_tuple_is_the_same_after_json():
    settings = json.loads(json.dumps(Given(encoder()).settings()))
    assert Given(encoder(), **settings).scale == (0.2, 1.0)


class Wider(Plain):
    """With a default of its own for what it extends."""

    def __init__(self, encoder, width: Count = 8, **settings):
        super().__init__(encoder, width=width, **settings)


def test_a_default_of_its_own_comes_before_that_of_the_class_it_extends():
    assert {name: each.default for name, each in settings_of(Wider).items()} == {"width": 8}
    assert Wider(encoder()).settings() == {"width": 8}


def test_modules_are_registered_and_are_no_settings():
    teacher = nn.Linear(2, 2)
    method = Extended(encoder(), teacher=teacher)
    assert method.teacher is teacher
    assert "teacher.weight" in method.state_dict()
    with pytest.raises(DataError, match="teacher: a Linear can't be saved"):
        method.settings()


def test_settings_that_would_hide_something_are_refused():
    with pytest.raises(TypeError, match="the setting 'loss' has the name of a method"):

        class Hiding(Method):
            def __init__(self, encoder, loss: float = 1.0):
                super().__init__(encoder)

    class Other(Plain):
        def __init__(self, encoder, width: Count = 4):
            super().__init__(encoder, 2 * width)

    with pytest.raises(TypeError, match="its own 'width' differs"):
        Other(encoder())


def test_settings_that_making_a_method_takes_are_refused():
    of_making = set(inspect.signature(make_method).parameters) - {"settings"}
    assert of_making == {"name", "encoder", "image_size", "seed", "init", "preset"}
    for name in of_making:
        text = f"class Own(Method):\n    def __init__(self, backbone, {name}=1):\n        super().__init__(backbone)\n"
        with pytest.raises(DataError, match=f"Own: the setting '{name}' is a parameter of make_method"):
            exec(text, {"Method": Method})


@dataclass(frozen=True)
class Head:
    width: Count = 1
    file: Path = Path("x")


class Nested(Method):
    """Settings within settings."""

    def __init__(
        self,
        encoder,
        file: Path = Path("x"),
        heads: tuple[Head, ...] = (),
        files: dict[str, Path] | None = None,
        free=None,
    ):
        super().__init__(encoder)


def test_settings_within_settings_survive_json():
    given = {"file": Path("a"), "heads": (Head(2, Path("b")), Head()), "files": {"c": Path("d")}}
    told = json.loads(json.dumps(Nested(encoder(), **given).settings()))
    assert told == {
        "file": "a",
        "heads": [{"width": 2, "file": "b"}, {"width": 1, "file": "x"}],
        "files": {"c": "d"},
        "free": None,
    }
    again = Nested(encoder(), **told)
    assert (again.file, again.heads) == (given["file"], given["heads"])


class Kind(Enum):
    ONE = 1


@pytest.mark.parametrize("value", [np.zeros(3), Kind.ONE, [Kind.ONE], {3: 1}, {"x": print}], ids=str)
def test_a_value_that_json_does_not_hold_is_no_setting(value):
    with pytest.raises(DataError, match=r"free(\.x)?: a \w+ can't be saved as a setting of a run"):
        Nested(encoder(), free=value).settings()


def test_settings_are_no_parameters_of_the_network():
    method = Plain(encoder(), 7)
    assert method.width == 7
    assert all("width" not in key for key in method.state_dict())


@pytest.mark.parametrize(
    ("loss", "said"),
    [
        (lambda self, frames, step: {}, "'frames' has no type of batches"),
        (lambda self, frames: {}, "'frames' has no type of batches"),
    ],
)
def test_a_loss_that_the_trainer_could_not_call_is_refused(loss, said):
    with pytest.raises(DataError, match=said):
        input_streams_of(type("Own", (Method,), {"loss": loss}))


def test_a_loss_takes_the_step():
    def loss(self, frames: Frames):
        return {}

    with pytest.raises(DataError, match="add the parameter `step: Step`"):
        input_streams_of(type("Own", (Method,), {"loss": loss}))
