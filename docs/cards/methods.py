"""A card per method, from its class: docstring, signatures of `__init__` and `loss`, recipe; a figure from a run."""

import inspect
import re
from collections.abc import Mapping, Sequence
from dataclasses import fields

from cards.markdown import code, settings, table
from embodied_ssl.data import origin
from embodied_ssl.method import Method, Recipe, StreamSpec, input_streams_of
from embodied_ssl.methods import make_method, method_class, method_names
from embodied_ssl.recipe import Preset
from embodied_ssl.training.optimization import learning_rate

LABELS = ("Idea", "Loss", "Differs")
"""Paragraphs of a method's docstring that begin so, and a colon, have a place of their own on its card."""


def pages(figures: Mapping[str, object]) -> dict[str, str | bytes]:
    """The overview and a card per method, by path. figures: what tutorials have drawn, `figures/NAME.png`."""
    names = method_names()
    found = {f"methods/{name}.md": _card(name, method_class(name), f"figures/{name}.png" in figures) for name in names}
    rows = [[f"[{code(name)}]({name}.md)", *_about(method_class(name))] for name in names]
    index = (
        "# Methods\n\nA method is an encoder to keep, heads to throw away, and the loss of its paper. Each is one "
        "file, whose signatures are its settings, its command line and the check of its data. "
        "All of them at work: lectures [1](../tutorials/lecture_pretext.md), [2](../tutorials/lecture_contrast.md) and "
        "[3](../tutorials/lecture_bodies.md).\n\n"
    )
    overview = {"methods/index.md": index + table(["name", "what it is", "learns from"], rows)}
    return {**overview, "methods/presets.md": _PRESETS.format(table=_presets(names)), **found}


def _presets(names: Sequence[str]) -> str:
    """A row for each preset of each method."""
    rows = [
        [f"[{code(name)}]({name}.md) {code(preset)}", f"{_size(each)}; {_schedule(each.recipe)}", _sources(each)]
        for name in names
        for preset, each in method_class(name).presets.items()
    ]
    return table(["method and preset", "what is trained", "source, and what is known to differ"], rows)


def _sources(preset: Preset) -> str:
    return f"{preset.source}. *Differs*: {preset.differs}" if preset.differs else preset.source


def _size(preset: Preset) -> str:
    return f"{code(preset.encoder)}, {preset.image_size} px"


def _schedule(recipe: Recipe) -> str:
    """What is trained for how long, and at which rates: at the first update, at the peak, half way, at the last one."""
    peak = max(learning_rate(recipe, step) for step in (0, round(recipe.warmup * recipe.steps)))
    first, middle, last = (learning_rate(recipe, step) for step in (0, recipe.steps // 2, recipe.steps - 1))
    shown = " → ".join(f"{rate:.2g}" for rate in (first, peak, middle, last))
    return f"{recipe.optimizer}, {recipe.steps:,} updates of {recipe.batch_size:,}, rate {shown}"


def _about(method: type[Method]) -> list[str]:
    parts = _parts(method)
    learns_from = "; ".join(_streams(input_streams_of(method))) or "what its methods learn from"
    return [f"{parts['title']} {parts['paper']}".strip(), learns_from]


def _card(name: str, method: type[Method], drawn: bool) -> str:
    parts = _parts(method)
    sections = [f"# {name}", f"**{parts['title']}**", parts["paper"]]
    sections += [f"**Idea.** {parts['Idea']}"] if parts["Idea"] else []
    sections += [f'<div class="formula" markdown>\n{parts["Loss"]}\n</div>'] if parts["Loss"] else []
    differs = "Where it differs from the paper" if parts["paper"] else "Where it comes from"
    sections += [f"**{differs}.** {parts['Differs']}"] if parts["Differs"] else []
    sections += [parts["rest"]]
    if drawn:
        sections += [
            f"![What {name} is shown, and what it answers](../figures/{name}.png){{.figure}}",
            "*After a few updates only.*",
        ]
    sections += ["## Learn", _command(name, method)]
    sections += ["## Settings", settings(method, skip=("encoder",)), "## Recipe", _recipe(method.recipe)]
    sections += [f"Usual encoder: {code(method.usual_encoder)}. Source: `embodied_ssl/methods/{name}.py`."]
    return "\n\n".join(each for each in sections if each) + "\n"


def _parts(method: type[Method]) -> dict[str, str]:
    """What a docstring says, by part: title, paper, those of LABELS, and the rest; what it does not say is empty.

    The paper stands on the first line, after the title, or in the paragraph below it, and ends with its year.
    """
    first, *others = inspect.cleandoc(method.__doc__ or "").split("\n\n")
    found = dict.fromkeys((*LABELS, "rest"), "")
    title, _, paper = " ".join(first.split()).partition(". ")
    if not paper and others and re.search(r"\b(19|20)\d\d\b", others[0]) and not others[0].startswith(LABELS):
        paper = " ".join(others.pop(0).split())
    for other in others:
        label, _, text = other.partition(":")
        if label in LABELS:
            found[label] = inspect.cleandoc(text)
        else:
            found["rest"] += f"\n\n{other}"
    return found | {"title": title.rstrip(".") + ".", "paper": paper}


def _streams(specs: Mapping[str, StreamSpec]) -> list[str]:
    return [
        f"{code(name)}: {origin(spec.batch)}{'' if spec.required else ' (optional)'}" for name, spec in specs.items()
    ]


def _command(name: str, method: type[Method]) -> str:
    specs = make_method(name, method.usual_encoder).input_streams()  # of `joint` those of its methods
    by_part: dict[str, list[str]] = {}
    for stream in specs:
        by_part.setdefault(stream.rpartition(".")[0], []).append(stream)
    needed = [stream for own in by_part.values() for stream in [s for s in own if specs[s].required] or own[:1]]
    data = "".join(f" --{stream} DATA" for stream in needed)
    streams = "".join(f"- {each}\n" for each in _streams(specs))
    return f"```sh\nembodied-ssl train {name}{data} --out runs/{name}-0\n```\n\nIt learns from\n\n{streams}"


def _recipe(recipe: Recipe) -> str:
    usual = Recipe()
    shown = [f.name for f in fields(Recipe) if getattr(recipe, f.name) != getattr(usual, f.name)]
    always = ("optimizer", "learning_rate", "batch_size", "steps")
    values = [f"{name.replace('_', ' ')} {getattr(recipe, name)}" for name in dict.fromkeys((*always, *shown))]
    return "; ".join(values) + ". All else as [`Recipe`](../reference.md) has it.\n"


_PRESETS = """# Presets

The sizes at which the papers train, by one option: encoder, size of images, settings, optimiser and schedule.

```sh
embodied-ssl train simclr --preset paper --frames IMAGENET --devices 8 --out runs/simclr-paper
embodied-ssl train simclr --preset cifar --frames CIFAR --epochs 100 --out runs/simclr-cifar
embodied-ssl train simclr --preset paper --print_config  # all that it stands for
```

What is given besides counts instead, and `run.json` has the settings that result. Updates are the paper's epochs over
the paper's images; `--epochs` counts those of your own. A rate that a paper states for 256 samples follows
`--batch_size` (`reference_batch`). Without `--preset` a method has its usual size, `small`, which the cards describe.
In Python it is `make_method("simclr", preset="paper")`, whose `recipe` `train` takes.
Rates are those of the first update, at the peak, half way, and of the last update.

{table}"""
