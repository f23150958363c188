"""What is added from outside: by an installed package, by a module beside one's work, by `module:Name`."""

import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from textwrap import dedent

import numpy as np
import pytest
import torch
from PIL import Image

from embodied_ssl import plugins
from embodied_ssl.cli.main import main
from embodied_ssl.datasets.errors import DataError
from embodied_ssl.encoders import encoder_names, make_encoder
from embodied_ssl.evaluation.candidates import Untrained
from embodied_ssl.evaluation.protocols import (
    make_protocol,
    protocol_class,
    protocol_name,
    protocol_names,
    usual_protocols,
)
from embodied_ssl.evaluation.protocols.knn import KNN
from embodied_ssl.evaluation.settings import USUAL
from embodied_ssl.method import Recipe
from embodied_ssl.methods import make_method, method_class, method_name, method_names
from embodied_ssl.studies.cells import MeasuredOn
from embodied_ssl.studies.study import On
from embodied_ssl.training.runs.checkpoint import load_encoder, load_method
from embodied_ssl.training.settings import TrainingSettings
from embodied_ssl.training.train import train

QUIET = TrainingSettings(progress=False)
GREY = '''
import torch
from torch import Tensor
from embodied_ssl.datasets.read.batches import Frames
from embodied_ssl.encoders import Encoder
from embodied_ssl.method import Method, Recipe, Step
from embodied_ssl.parts.views import to_float

TARGET = 0.5

class GreyWorld(Method):
    """Predict the mean colour of an image. Nobody 2026."""

    recipe = Recipe(batch_size=4, steps=2)

    def __init__(self, encoder: Encoder, width: int = 8):
        super().__init__(encoder)
        self.width = width
        self.head = torch.nn.Linear(encoder.dim, 3)

    def loss(self, frames: Frames, step: Step) -> dict[str, Tensor]:
        images = to_float(frames.images, self.encoder.image_size)
        return {"loss": (self.head(self.encoder(images)) - images.mean((2, 3)) * TARGET).square().mean()}


class Tiny(torch.nn.Module):
    """A linear encoder."""

    def __init__(self, image_size: int):
        super().__init__()
        self.layer = torch.nn.Linear(3 * image_size**2, 5)

    def forward(self, images: Tensor) -> Tensor:
        return self.layer(images.flatten(1))
'''


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty working directory in which modules can be written; what is imported from it is forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.setenv(plugins.VARIABLE, "")
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


@pytest.fixture
def folder(here):
    """Labelled images of noise, in class folders."""
    rng = np.random.default_rng(0)
    for i in range(12):
        (here / "images" / f"class{i % 2}").mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (16, 16, 3), np.uint8)).save(here / f"images/class{i % 2}/{i}.png")
    return here / "images"


def write(path: Path, text: str) -> None:
    path.write_text(dedent(text))


def fresh(*modules: str) -> None:
    """Forget plugins, as a new process does."""
    os.environ[plugins.VARIABLE] = ""
    for name in modules:
        sys.modules.pop(name, None)


def test_a_module_adds_all_that_it_declares_and_a_name_of_it_that_alone(here):
    write(here / "grey.py", GREY)
    assert "grey_world" not in method_names()
    plugins.use("grey")
    assert method_class("grey_world") is plugins.member("grey:GreyWorld")
    assert "grey_world" in method_names()
    assert "tiny" in encoder_names()
    assert method_name(make_method("grey_world", "tiny", 8)) == "grey_world"
    fresh("grey")
    assert "grey_world" not in method_names()
    assert make_method("grey:GreyWorld", "grey:Tiny", 8, width=3).width == 3
    assert "grey_world" in method_names()  # so that what it leaves behind is found again, and by workers as well
    assert os.environ[plugins.VARIABLE].split(",") == ["grey:GreyWorld", "grey:Tiny"]


def test_what_type_checkers_alone_know_is_no_matter(here):
    """Of a helper beside an encoder, and of arguments of what makes one."""
    write(
        here / "typed.py",
        """
        from __future__ import annotations
        from typing import TYPE_CHECKING
        from torch import nn
        if TYPE_CHECKING:
            from numpy.typing import NDArray

        def helper(x: NDArray) -> NDArray: ...

        def typed_net(weights: NDArray | None = None) -> nn.Module:
            return nn.Conv2d(3, 8, 3)
        """,
    )
    plugins.use("typed")
    assert "typed_net" in encoder_names()
    assert "helper" not in encoder_names()


def test_a_file_of_settings_names_one_plugin_or_several(here, capsys):
    write(here / "own.py", GREY)
    for said in ("own", "[own]"):
        (here / "settings.yaml").write_text(f"plugin: {said}\nout: run\ndata: {{frames: [x]}}\n")
        assert main(["train", "grey_world", "--config", "settings.yaml", "--steps", "0"]) == 2
        assert "steps: 0" in capsys.readouterr().err  # the method is known, and the value is what is wrong


def install(site: Path, package: str, entries: str, text: str = GREY) -> None:
    """A package with entry points, as pip would leave it."""
    told = site / f"{package}-1.0.dist-info"
    told.mkdir(parents=True)
    write(told / "METADATA", f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    write(told / "entry_points.txt", entries)
    write(site / f"{package}.py", text)


def in_a_new_process(code: str, here: Path, site: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(site)}
    asked = [sys.executable, "-c", dedent(code)]
    return subprocess.run(asked, capture_output=True, text=True, check=True, env=environment, cwd=here)


def test_an_installed_package_adds_by_entry_points(here):
    """In a folder of packages of its own, and in a new process."""
    site = here / "site"
    entries = """
    [embodied_ssl.methods]
    grey = theirs:GreyWorld
    [embodied_ssl.encoders]
    little = theirs:Tiny
    """
    install(site, "theirs", entries)
    code = """
    from embodied_ssl.methods import make_method, method_name, method_names
    method = make_method("grey", "little", 8)
    print(method_name(method), method.encoder.name, "grey" in method_names(), "rotation" in method_names())
    """
    assert in_a_new_process(code, here, site).stdout.split() == ["grey", "little", "True", "True"]


def test_entry_points_that_cannot_be_had_are_left_out_and_told_of(here):
    """A package that is installed for something else may be broken, or have a name that another has."""
    site = here / "site"
    entries = """
    [embodied_ssl.methods]
    grey = {0}:GreyWorld
    {0} = {0}:GreyWorld
    [embodied_ssl.protocols]
    notp = {0}:GreyWorld
    """
    for package in ("one", "two"):
        install(site, package, entries.format(package))
    gone = """
    [embodied_ssl.methods]
    gone = gone:X
    moco = one:GreyWorld
    [embodied_ssl.protocols]
    gone = gone:X
    """
    install(site, "gone", gone, "raise SystemExit('by itself')")
    code = """
    from embodied_ssl.methods import method_class, method_names
    from embodied_ssl.evaluation.protocols import usual_protocols
    print(method_class("moco").__module__, {"one", "two"} < set(method_names()), "grey" in method_names())
    print("knn" in usual_protocols())
    """
    found = in_a_new_process(code, here, site)
    assert found.stdout.split() == ["embodied_ssl.methods.moco", "True", "False", "True"]
    told = sorted(found.stderr.splitlines())
    left_out = "embodied-ssl: the entry point {} of embodied_ssl.{} is left out: {}"
    assert told == [
        left_out.format("gone", "methods", "SystemExit: by itself"),
        left_out.format("gone", "protocols", "SystemExit: by itself"),
        left_out.format("grey", "methods", "one:GreyWorld and two:GreyWorld are called so"),
        left_out.format("moco", "methods", "a name that is built in"),
        left_out.format("notp", "protocols", "one:GreyWorld and two:GreyWorld are called so"),
    ]
    install(site, "three", "[embodied_ssl.protocols]\nwrong = three:GreyWorld\n")
    assert "three:GreyWorld is none of the protocols" in in_a_new_process(code, here, site).stderr


def test_a_package_adds_what_its_modules_declare_and_classes_within_classes_are_found(here):
    (here / "whole").mkdir()
    write(here / "whole" / "inner.py", GREY)
    write(
        here / "whole" / "__init__.py", "from whole.inner import GreyWorld\nfrom embodied_ssl.methods.moco import MoCo"
    )
    plugins.use("whole")
    assert method_class("grey_world").__module__ == "whole.inner"
    write(here / "nested.py", "class Outer:\n    class Inner:\n        pass\n")
    assert plugins.member("nested:Outer.Inner").__qualname__ == "Outer.Inner"
    with pytest.raises(plugins.NoPlugin, match=r"the module nested has no Outer\.Other"):
        plugins.member("nested:Outer.Other")


@pytest.mark.parametrize(
    ("text", "plugin", "message"),
    [
        (None, "absent", "absent: No module named 'absent'"),
        ("import nothing_like_it", "broken", "broken: No module named 'nothing_like_it'"),
        ("x = 1 / 0", "broken", "broken does not import: ZeroDivisionError"),
        ("def", "broken", "broken does not import: SyntaxError"),
        ("", "broken:Name", "the module broken has no Name"),
    ],
)
def test_a_plugin_that_is_not_there_or_does_not_import_is_said_in_one_line(here, text, plugin, message):
    if text is not None:
        write(here / "broken.py", text)
    with pytest.raises(plugins.NoPlugin, match=message) as told:
        plugins.use(plugin)
    assert "\n" not in str(told.value)
    assert os.environ[plugins.VARIABLE] == ""


def test_a_name_that_two_have_is_refused(here):
    write(here / "one.py", GREY)
    write(here / "two.py", GREY)
    plugins.use("one")
    plugins.use("one:GreyWorld")  # the same twice is fine
    assert method_class("grey_world").__module__ == "one"
    plugins.use("two")
    with pytest.raises(plugins.NoPlugin, match="two methods are called grey_world: one:GreyWorld and two:GreyWorld"):
        method_names()
    fresh("two")
    write(here / "two.py", GREY.replace("GreyWorld", "MoCo").replace("class Tiny", "class Conv4"))
    write(
        here / "two.py",
        (here / "two.py").read_text().replace("class MoCo(Method):", 'class X(Method):\n    name = "moco"'),
    )
    plugins.use("two")
    with pytest.raises(plugins.NoPlugin, match=r"two:X: moco is built in; give yours an attribute `name`"):
        method_class("moco")
    with pytest.raises(plugins.NoPlugin, match=r"two:Conv4: conv4 is built in"):
        make_encoder("conv4")


def test_in_python_as_well_no_run_has_a_name_that_finds_another(here, folder):
    write(here / "mine.py", GREY.replace("GreyWorld", "Rotation"))
    write(here / "pair.py", GREY.replace("GreyWorld", "Mixer").replace("class Tiny", "class mixer"))
    method = plugins.member("mine:Rotation")(make_encoder("conv4", 16))
    with pytest.raises(DataError, match=r"mine:Rotation: rotation is built in; give yours an attribute `name`"):
        train(method, here / "run", {"frames": folder}, settings=QUIET)
    both = r"a method and an encoder are both called mixer: pair:Mixer and pair:mixer; give one an attribute `name`"
    with pytest.raises(DataError, match=both):
        train(make_method("pair:Mixer", "pair:mixer", 8), here / "run", {"frames": folder}, settings=QUIET)
    assert not (here / "run").exists()


def test_a_protocol_is_added_with_its_settings_and_their_limits(here):
    write(
        here / "mine.py",
        """
        from dataclasses import dataclass
        from embodied_ssl.evaluation.protocol import Protocol
        from embodied_ssl.limits import Count

        @dataclass(frozen=True)
        class HowMany(Protocol):
            usual = False
            most: Count = 3
        """,
    )
    assert "how_many" not in protocol_names()
    made = make_protocol("mine:HowMany", most=5)
    assert (protocol_name(made), made.most) == ("how_many", 5)
    assert protocol_class("how_many") is type(made)
    assert "how_many" in protocol_names()
    assert "how_many" not in usual_protocols()
    with pytest.raises(DataError, match="most: 0; give at least 1"):
        make_protocol("how_many", most=0)
    with pytest.raises(DataError, match="unknown setting of how_many 'mosst': did you mean 'most'"):
        make_protocol("how_many", mosst=1)


OWN = """
from dataclasses import dataclass
from pathlib import Path
import numpy as np
import torch
from embodied_ssl.evaluation.protocol import Protocol
from embodied_ssl.evaluation.results import Measure

@dataclass(frozen=True)
class Fit:
    steps: int = 3

@dataclass(frozen=True)
class Own(Protocol):
    divides = False
    fit: Fit | None = None
    def measure(self, encoded):
        return GIVEN
"""


def measured_by_own(here, folder, given, *options):
    fresh("own")
    write(here / "own.py", OWN.replace("GIVEN", given))
    out = here / "measured"
    asked = ["evaluate", "zoo/hold_and_path", "--on", str(folder), "--protocol", "own:Own", "--out", str(out)]
    code = main([*asked, "--baselines", "false", *options])
    return code, json.loads((out / "results.json").read_text()) if (out / "results.json").is_file() else None


def test_numbers_of_an_own_protocol_are_those_of_any_library(here, folder):
    settings = '{"fit": self.fit and self.fit.steps, "k": np.int64(3), "at": Path("a"), "all": np.arange(2)}'
    numbers = f'Measure("x", torch.tensor(0.5), {settings}, tested=[1, 2])'
    code, (found,) = measured_by_own(here, folder, f"[{numbers}]", "--plugin", "own", "--own.fit.steps", "4")
    assert code == 0
    assert (found["value"], found["settings"]) == (0.5, {"fit": 4, "k": 3, "at": "a", "all": [0, 1]})
    code, (found,) = measured_by_own(here, folder, f"[{numbers}]")
    assert (code, found["settings"]["fit"]) == (0, None)


def test_numbers_count_as_measured_by_the_code_and_all_settings_of_their_protocols(here):
    def said(*protocols):
        return MeasuredOn("images", here, "sha", (On("images", protocols),), USUAL, "cpu").said()

    def own(value):
        fresh("own")
        write(here / "own.py", OWN.replace("GIVEN", f'[Measure("x", {value})]'))
        return said(make_protocol("own:Own"))

    assert own(1.0) == own(1.0) != own(2.0)
    write(here / "grey.py", GREY)
    untrained = Untrained(make_encoder("grey:Tiny", 8).settings)
    before = untrained.said()
    fresh("grey")
    write(here / "grey.py", GREY.replace("image_size**2, 5", "image_size**2, 6"))
    plugins.use("grey")
    assert untrained.said() != before
    assert said(KNN(1), KNN(2)) != said(KNN(3), KNN(2))
    assert said(KNN(1))["by"][0]["knn"] == asdict(KNN(1))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ('Measure("x", 1.0)', "own: measure gives Measure; it gives a list of Measure"),
        ('[Measure("x", "much")]', "x: a str is no number of a protocol"),
        ('[Measure("x", 1.0, {"how": object()})]', "x: its settings have a object; numbers, texts and lists of them"),
        ('[Measure("x", 1.0, tested=[99])]', "own: x was tested on rows that images does not have"),
    ],
)
def test_what_an_own_protocol_may_not_give_is_said_in_a_line(here, folder, capsys, given, message):
    code, found = measured_by_own(here, folder, given)
    assert (code, found) == (2, None)
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("ask", "name", "message"),
    [
        (protocol_class, "grey:Tiny", "grey:Tiny is no protocol; name a class that extends"),
        (method_class, "grey:Tiny", "grey:Tiny is no method; name a class that extends"),
        (make_encoder, "grey:GreyWorld", "grey:GreyWorld makes no encoder; name an nn.Module that needs no argument"),
        (make_encoder, "grey:TARGET", "grey:TARGET makes no encoder"),
        (make_encoder, "tini", "unknown encoder 'tini': did you mean 'tiny'"),
        (method_class, "grey_word", "unknown method 'grey_word': did you mean 'grey_world'"),
    ],
)
def test_a_name_of_something_else_is_refused(here, ask, name, message):
    write(here / "grey.py", GREY)
    plugins.use("grey")
    with pytest.raises(DataError, match=message):
        ask(name)


NEEDY = (
    GREY.replace("width: int = 8", "width: int")
    + """
class Base(Method):
    pass
"""
)


def test_a_setting_without_a_default_is_asked_for_by_name(here):
    write(here / "needy.py", NEEDY)
    plugins.use("needy")
    said = "grey_world: its setting 'width' has no default; give a value for it"
    with pytest.raises(DataError, match=said):
        make_method("grey_world", "tiny", 8)
    with pytest.raises(DataError, match=said):
        make_method("joint", "tiny", 8, methods=("grey_world",))
    with pytest.raises(DataError, match="unknown setting of grey_world 'widht': did you mean 'width'"):
        make_method("joint", "tiny", 8, methods=("grey_world",), method_settings={"grey_world": {"widht": 3}})
    assert make_method("grey_world", "tiny", 8, width=3).width == 3
    text = "from dataclasses import dataclass\nfrom embodied_ssl.evaluation.protocol import Protocol\n"
    write(here / "asks.py", text + "@dataclass(frozen=True)\nclass Asks(Protocol):\n    most: int\n")
    with pytest.raises(DataError, match="asks:Asks: its setting 'most' has no default"):
        make_protocol("asks:Asks")


def test_a_method_without_a_loss_is_told_to_have_one(here, folder, capsys):
    write(here / "needy.py", NEEDY)
    plugins.use("needy")
    assert main(["train", "base", "--frames", "images", "--out", "run"]) == 2
    assert "needy:Base has no loss of batches; write `def loss(" in capsys.readouterr().err
    with pytest.raises(DataError, match="needy:Base has no loss of batches"):
        train(make_method("base", "tiny", 8), here / "run", {"frames": folder}, settings=QUIET)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("{'framse': {}}", "unknown stream in stream_options of GreyWorld 'framse': did you mean 'frames'"),
        ("{'frames': {'x': 1}}", "unknown setting of the stream frames 'x': valid are per_class"),
    ],
)
def test_options_of_no_stream_and_of_no_kind_are_refused(here, folder, options, said):
    write(
        here / "grey.py",
        GREY.replace("    def loss", f"    def stream_options(self):\n        return {options}\n\n    def loss"),
    )
    with pytest.raises(DataError, match=said):
        train(make_method("grey:GreyWorld", "grey:Tiny", 8), here / "run", {"frames": folder}, settings=QUIET)


@pytest.mark.parametrize("name", ["sub.v2", "my method", "a/b", ""])
def test_a_name_that_no_option_could_have_is_refused(here, name):
    write(here / "grey.py", GREY.replace("    recipe =", f"    name = {name!r}\n    recipe ="))
    plugins.use("grey")
    with pytest.raises(plugins.NoPlugin, match=f"grey:GreyWorld: its name '{name}' has more than letters"):
        method_names()


OURS = """
import torch
from embodied_ssl.encoders import Encoder

class Own(Encoder):
    def __init__(self):
        super().__init__()
        {said}

    def {gives}

def lies() -> torch.nn.Module:
    return "text"
"""
STAGES = "stages(self, images): return {'maps': images}"


@pytest.mark.parametrize(
    ("said", "gives", "message"),
    [
        ("self.channels = {'maps': 3}", STAGES, "own: its `dim` is None, but it gives 3; set it in `__init__`"),
        ("self.dim = 3", STAGES, r"own: its `channels` is None, but it gives \{'maps': 3\}"),
        ("self.channels, self.dim = {'maps': 4}, 3", STAGES, r"its `channels` is \{'maps': 4\}, but it gives"),
        ("self.dim = 3", "forward(self, images): return images.mean((2, 3))", "own has no `stages`; write them"),
        (
            "self.dim = 3",
            "stages(self, images): return images",
            r"own takes no images of 8 px \(.*\); an encoder takes",
        ),
    ],
)
def test_an_encoder_that_is_not_what_it_says_is_refused_at_once(here, said, gives, message):
    write(here / "mine.py", OURS.replace("{said}", said).replace("{gives}", gives))
    with pytest.raises(DataError, match=message):
        make_encoder("mine:Own", 8)


def test_an_encoder_that_is_what_it_says_is_taken_and_draws_nothing(here):
    write(
        here / "mine.py", OURS.replace("{said}", "self.channels, self.dim = {'maps': 3}, 3").replace("{gives}", STAGES)
    )
    before = torch.get_rng_state()
    assert make_encoder("mine:Own", 8).dim == 3
    assert torch.equal(torch.get_rng_state(), before)
    with pytest.raises(DataError, match=r"lies makes a str, no nn\.Module"):
        make_encoder("mine:lies", 8)


FORMS = {
    "features": ("images.mean((2, 3))", {"features": 3}, 3),
    "map": ("images", {"maps": 3}, 3),
    "list": ("[images, images.repeat(1, 2, 1, 1)[:, :, ::2, ::2]]", {"stage1": 3, "stage2": 6}, 6),
    "names": ('{"low": images, "high": images.mean((2, 3))[:, :2]}', {"low": 3, "high": 2}, 2),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("made", ["class Own(torch.nn.Module)", "function"])
def test_any_module_is_an_encoder_whatever_of_these_it_gives(here, form, made):
    gives, channels, dim = FORMS[form]
    text = f"import torch\nclass Network(torch.nn.Module):\n    def forward(self, images):\n        return {gives}\n"
    text += "def own(image_size: int = 8) -> torch.nn.Module:\n    return Network()\n"
    write(here / "mine.py", text)
    encoder = make_encoder("mine:own" if made == "function" else "mine:Network", 8)
    images = torch.rand(2, 3, 8, 8)
    stages = encoder.stages(images)
    assert {name: maps.shape[1] for name, maps in stages.items()} == encoder.channels == channels
    assert encoder(images).shape == (2, encoder.dim) == (2, dim)
    expected = images.mean((2, 3))[:, :dim] if dim <= 3 else images[:, :, ::2, ::2].mean((2, 3)).repeat(1, 2)
    torch.testing.assert_close(encoder(images), expected)
    assert make_encoder(**encoder.settings).channels == channels


@pytest.mark.parametrize(
    ("gives", "message"),
    [
        ("images[0, 0, 0]", r"bad gives a tensor \[8\]; an encoder takes images \[B, 3, H, W\]"),
        ("'text'", "bad gives a str; an encoder"),
        ("{}", "bad gives a dict"),
        ("images @ torch.ones(9, 9)", "bad takes no images of 8 px"),
    ],
)
def test_a_module_that_gives_something_else_is_refused_at_once(here, gives, message):
    write(
        here / "mine.py",
        f"import torch\nclass Bad(torch.nn.Module):\n    def forward(self, images):\n        return {gives}\n",
    )
    with pytest.raises(DataError, match=message):
        make_encoder("mine:Bad", 8)


def test_a_run_never_imports_code_by_itself_and_says_which_plugin_to_give(here, folder, capsys):
    write(here / "grey.py", GREY)
    run = train(make_method("grey:GreyWorld", "grey:Tiny", 8), here / "run", {"frames": folder}, settings=QUIET)
    code = json.loads((run / "run.json").read_text())
    assert code["plugins"] == {"grey_world": "grey:GreyWorld", "tiny": "grey:Tiny"}
    assert set(code["code"]) == {"grey:GreyWorld", "grey:GreyWorld.__init__", "grey:GreyWorld.loss", "grey:TARGET",
                                 "grey:Tiny", "grey:Tiny.__init__", "grey:Tiny.forward"}  # fmt: skip
    fresh("grey")
    with pytest.raises(DataError, match=r"run: its tiny is code from outside .*give --plugin grey:Tiny"):
        load_encoder(run)
    assert "grey" not in sys.modules
    plugins.use("grey:Tiny")
    images = torch.rand(2, 3, 8, 8)
    features = load_encoder(run)(images)
    with pytest.raises(DataError, match="its grey_world is code from outside"):
        load_method(run)
    # A page asks the heads: no image is encoded for one that cannot be made.
    asked = ["evaluate", str(run), "--on", str(folder), "--out", str(here / "measured")]
    assert main(asked) == main(["verify", str(run)]) == 2
    assert capsys.readouterr().err.count("its grey_world is code from outside") == 2
    assert not (here / "measured").exists()
    plugins.use("grey")
    method = load_method(run)
    torch.testing.assert_close(method.encoder(images), features)
    assert capsys.readouterr().err == ""
    # Code that has changed since is another configuration, and told of where it is loaded.
    fresh("grey")
    write(here / "grey.py", GREY.replace("TARGET = 0.5", "TARGET = 0.7"))
    plugins.use("grey")
    load_method(run)
    assert "grey:TARGET has changed since it was trained" in capsys.readouterr().err
    changed = make_method("grey_world", "tiny", 8)
    with pytest.raises(DataError, match=r"holds a run whose code of grey:TARGET is \w+, not \w+; name another dir"):
        train(changed, run, {"frames": folder}, settings=QUIET)


def test_runs_of_this_package_say_nothing_of_plugins(folder, here):
    recipe = Recipe(steps=1, batch_size=4)
    run = train(make_method("rotation", "conv4", 16), here / "run", {"frames": folder}, recipe, QUIET)
    assert not {"plugins", "code"} & set(json.loads((run / "run.json").read_text()))


def test_code_that_cannot_be_told_from_other_code_is_refused(here, folder):
    write(here / "grey.py", GREY.replace("TARGET = 0.5", "TARGET = lambda x: x").replace("* TARGET", "* TARGET(1)"))
    with pytest.raises(DataError, match="grey:GreyWorld cannot be told from another by its content: it has a lambda"):
        train(make_method("grey:GreyWorld", "grey:Tiny", 8), here / "run", {"frames": folder}, settings=QUIET)
