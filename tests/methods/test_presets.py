"""Presets of all methods: their schedules against the papers' numbers, their command lines, and a few updates."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from embodied_ssl.cli.learning import parser_of_training
from embodied_ssl.cli.main import main
from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.read.batches import Frames, LabelledFrames
from embodied_ssl.method import Step, presets_of
from embodied_ssl.methods import make_method, method_class, method_names
from embodied_ssl.parts.precision import resolved
from embodied_ssl.training.optimization import clip_each, learning_rate, make_optimizer, set_schedules, weight_decay
from embodied_ssl.training.settings import Hardware, TrainingSettings
from embodied_ssl.training.stochastic_depth import skip_blocks
from embodied_ssl.training.train import train

ALL = [(name, preset) for name in method_names() for preset in method_class(name).presets]

# epochs, batch, images, epochs of warm-up, rate at the first update, at its peak, and at the end; weight decay at first
# and at last. Of the papers and their code, as the presets name them.
COSINES = {
    ("simclr", "paper"): (100, 4096, 1_281_167, 10, 0.0, 4.8, 0.0, 1e-6, 1e-6),
    ("simclr", "cifar"): (1000, 512, 50_000, 10, 0.0, 2.0, 0.0, 1e-6, 1e-6),
    ("moco", "paper"): (200, 256, 1_281_167, 0, 0.03, 0.03, 0.0, 1e-4, 1e-4),
    ("moco", "paper_v3"): (300, 4096, 1_281_167, 40, 0.0, 2.4e-3, 0.0, 0.1, 0.1),
    ("moco", "cifar"): (200, 512, 50_000, 0, 0.06, 0.06, 0.0, 5e-4, 5e-4),
    ("dino", "paper"): (300, 1024, 1_281_167, 10, 0.0, 2e-3, 1e-6, 0.04, 0.4),
    ("ibot", "paper"): (800, 1024, 1_281_167, 10, 0.0, 2e-3, 1e-6, 0.04, 0.4),
    ("ijepa", "paper"): (600, 2048, 1_281_167, 15, 1e-4, 1e-3, 1e-6, 0.04, 0.4),
    ("mae", "paper"): (1600, 4096, 1_281_167, 40, 0.0, 2.4e-3, 0.0, 0.05, 0.05),
    ("byol", "paper"): (1000, 4096, 1_281_167, 10, 0.0, 3.2, 0.0, 1.5e-6, 1.5e-6),
    ("simsiam", "paper"): (100, 512, 1_281_167, 0, 0.1, 0.1, 0.0, 1e-4, 1e-4),
    ("simsiam", "cifar"): (800, 512, 50_000, 0, 0.06, 0.06, 0.0, 5e-4, 5e-4),
    ("barlow_twins", "paper"): (1000, 2048, 1_281_167, 10, 0.0, 1.6, 1.6e-3, 1e-6, 1e-6),
    ("vicreg", "paper"): (1000, 2048, 1_281_167, 10, 0.0, 1.6, 1.6e-3, 1e-6, 1e-6),
    ("labels", "finetune"): (100, 1024, 1_281_167, 5, 0.0, 2e-3, 1e-6, 0.05, 0.05),
    ("swav", "paper"): (800, 4096, 1_281_167, 10, 0.3, 4.8, 4.8e-3, 1e-6, 1e-6),
}
# updates, weight decay, and from which share of them which rate holds.
STEPS = {
    ("moco", "paper_v1"): (200 * 5004, 1e-4, {0: 0.03, 120 / 200: 0.003, 160 / 200: 0.0003}),
    ("rotation", "paper"): (50 * 6672, 5e-4, {0: 0.01, 15 / 50: 1e-3, 30 / 50: 1e-4, 45 / 50: 1e-5}),
    ("rotation", "cifar"): (200 * 390, 5e-4, {0: 0.1, 0.3: 0.02, 0.6: 0.004, 0.8: 0.0008}),
    ("colorization", "paper"): (400_000, 1e-3, {0: 3e-5, 0.6: 1e-5, 0.75: 3e-6}),
    ("jigsaw", "paper"): (350_000, 5e-4, {0: 0.01, 100 / 350: 1e-3, 200 / 350: 1e-4, 300 / 350: 1e-5}),
    ("labels", "paper"): (90 * 5004, 1e-4, {0: 0.1, 30 / 90: 0.01, 60 / 90: 1e-3, 80 / 90: 1e-4}),
    ("labels", "cifar"): (64_000, 1e-4, {0: 0.1, 32_000 / 64_000: 0.01, 48_000 / 64_000: 1e-3}),
}


def test_every_preset_is_held_to_its_paper():
    assert {*COSINES, *STEPS} == {*ALL}


@pytest.mark.parametrize(("name", "preset"), COSINES, ids=map("-".join, COSINES))
def test_a_cosine_is_that_of_the_paper_at_its_start_middle_and_end(name, preset):
    epochs, batch, images, warmup_epochs, first, peak, last, decay, last_decay = COSINES[name, preset]
    recipe = method_class(name).presets[preset].recipe
    per_epoch = images // batch
    warmup, steps = warmup_epochs * per_epoch, epochs * per_epoch
    assert (recipe.steps, recipe.batch_size) == (steps, batch)
    step_up = (peak - first) / max(1, warmup)
    assert learning_rate(recipe, 0) == pytest.approx(first + step_up, abs=1e-3 * peak)
    assert learning_rate(recipe, warmup // 2) == pytest.approx((first + peak) / 2 if warmup else peak, rel=5e-3)
    assert learning_rate(recipe, warmup) == pytest.approx(peak)
    assert learning_rate(recipe, (warmup + steps) // 2) == pytest.approx((peak + last) / 2, rel=1e-3)
    assert learning_rate(recipe, steps - 1) == pytest.approx(last, abs=1e-6 * peak)
    assert [weight_decay(recipe, step) for step in (0, steps // 2, steps - 1)] == pytest.approx(
        [decay, (decay + last_decay) / 2, last_decay], rel=1e-3
    )


@pytest.mark.parametrize(("name", "preset"), STEPS, ids=map("-".join, STEPS))
def test_steps_down_are_those_of_the_paper(name, preset):
    steps, decay, rates = STEPS[name, preset]
    recipe = method_class(name).presets[preset].recipe
    assert recipe.steps == steps
    starts = [*(round(share * steps) for share in rates), steps]
    for start, end, rate in zip(starts, starts[1:], rates.values(), strict=False):
        assert [learning_rate(recipe, step) for step in (start, (start + end) // 2, end - 1)] == pytest.approx(
            [rate] * 3, rel=0.06 if name == "colorization" else 1e-6
        )
        assert weight_decay(recipe, start) == decay


@pytest.mark.parametrize(("name", "preset"), ALL, ids=map("-".join, ALL))
def test_the_command_line_has_a_preset_below_what_is_given(name, preset):
    kind = method_class(name)
    arguments = ["--preset", preset, f"--{'labelled' if name == 'labels' else 'frames'}", "x", "--out", "y"]
    given = parser_of_training(name, kind, arguments).values([*arguments, "--encoder", "conv4", "--steps", "3"])
    chosen = presets_of(kind)[preset]
    assert given["encoder"] == {"name": "conv4", "init": None, "image_size": chosen.image_size}
    small = {"views": {}, **chosen.settings}
    for key, value in small.items():
        if isinstance(value, dict):
            assert value.items() <= given["method"].get(key, {}).items()
        else:
            assert given["method"][key] == value, key
    made = {**given["optimizer"], "milestones": tuple(given["optimizer"]["milestones"])}
    assert made == {**vars(chosen.recipe), "steps": 3}


def test_a_run_with_a_preset_says_what_it_had(tmp_path):
    folder, run = tmp_path / "images", tmp_path / "run"
    folder.mkdir()
    for number in range(12):
        pixels = np.random.default_rng(number).integers(0, 256, (32, 32, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    words = "--preset cifar --encoder conv4 --width 16 --batch_size 4 --epochs 1 --device cpu --progress false"
    assert main(["train", "simsiam", "--frames", str(folder), "--out", str(run), *words.split()]) == 0
    told = json.loads((run / "run.json").read_text())
    chosen = method_class("simsiam").presets["cifar"]
    assert told["encoder"] == {"name": "conv4", "image_size": 32}
    assert {"layers": 2, "blur": 0.0, "width": 16}.items() <= told["settings"].items()
    recipe = replace(chosen.recipe, batch_size=4, steps=3)  # three batches of four are an epoch
    assert told["recipe"] == {**vars(recipe), "milestones": []}


def test_python_has_presets_as_well():
    method = make_method("simsiam", "conv4", preset="cifar", width=16)
    assert (method.encoder.image_size, method.layers, method.width) == (32, 2, 16)
    assert method.recipe == method_class("simsiam").presets["cifar"].recipe


def trained_on_noise(folder, method, recipe):
    """What `train` makes of a method in the one update of a recipe, on a few images of noise of two classes."""
    for number in range(8):
        (folder / "data" / f"{number % 2}").mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(number).integers(0, 256, (32, 32, 3), np.uint8)
        Image.fromarray(pixels).save(folder / "data" / f"{number % 2}" / f"{number}.png")
    stream = {"labelled" if type(method).__name__ == "Labels" else "frames": folder / "data"}
    train(method, folder / "run", stream, recipe, TrainingSettings(progress=False, logger=()), Hardware("cpu"))
    return method


def test_dinos_preset_trains_with_every_gradient_clipped_and_blocks_skipped(tmp_path):
    """Plain SGD at a rate of 1 moves each weight by its gradient: by the clip where that is longer, else by less."""
    small = {"prototypes": 64, "width": 32, "local_crops": 1, "local_size": 32}
    made = [make_method("dino", "vit_micro", 32, preset="paper", **small) for _ in range(2)]
    recipe = made[0].recipe
    assert recipe.clip_each == 3.0
    assert recipe.stochastic_depth == 0.1
    plain = {"momentum": 0.0, "weight_decay": 0.0, "final_weight_decay": None, "schedule": "constant", "warmup": 0.0}
    once = replace(recipe, optimizer="sgd", learning_rate=1.0, reference_batch=None, batch_size=4, steps=1, **plain)
    method = trained_on_noise(tmp_path, made[0], replace(once, clip_each=1e-4))
    first = made[1].state_dict()
    learns = [(name, each.detach()) for name, each in method.named_parameters() if each.requires_grad]
    moved = torch.stack([(each - first[name]).norm() for name, each in learns])
    assert moved.max() <= 1.02e-4  # of 32 bits about weights of 1
    assert ((moved - 1e-4).abs() < 2e-6).float().mean() > 0.5
    assert [block.drop_path2.drop_prob for block in method.encoder.network.blocks] == pytest.approx(
        [0, 1 / 30, 2 / 30, 0.1]
    )
    assert not any(hasattr(block.drop_path2, "drop_prob") for block in method.teacher.network.blocks)


def test_the_preset_to_finetune_trains_the_layers_below_at_lower_rates(tmp_path):
    """The first step of Adam is the learning rate, whatever the gradient."""
    method, before = (make_method("labels", "vit_micro", 32, preset="finetune", classes=2) for _ in range(2))
    recipe = method.recipe
    assert (recipe.layer_decay, recipe.stochastic_depth) == (0.65, 0.1)
    once = replace(recipe, batch_size=4, steps=1, warmup=0.0, schedule="constant", weight_decay=0.0)
    trained_on_noise(tmp_path, method, once)
    rate, blocks = learning_rate(once, 0), len(method.encoder.network.blocks)
    first = before.state_dict()
    moved = {name: float((each - first[name]).abs().max()) for name, each in method.state_dict().items()}
    assert moved["classifier.weight"] == pytest.approx(rate, rel=0.01)
    for number in range(blocks):
        of_block = moved[f"encoder.network.blocks.{number}.mlp.fc1.weight"]
        assert of_block == pytest.approx(rate * 0.65 ** (blocks - number), rel=0.05)
    assert moved["encoder.network.patch_embed.proj.weight"] == pytest.approx(rate * 0.65 ** (blocks + 1), rel=0.05)


def test_an_unknown_preset_is_refused():
    with pytest.raises(DataError, match=r"^unknown preset of moco 'papr': did you mean 'paper'\?"):
        make_method("moco", preset="papr")


@pytest.mark.slow
@pytest.mark.parametrize(("name", "preset"), ALL, ids=map("-".join, ALL))
def test_every_preset_makes_three_updates_on_random_images_of_its_size(name, preset):
    """In 16 bits where the processor has units for them: of ResNet-50 and ViT-B on one core it is most of the time."""
    method = make_method(name, preset=preset, **({"classes": 3} if name == "labels" else {}))
    recipe, size, count = method.recipe, method.encoder.image_size, 4
    half = resolved("auto", "cpu") == "bf16"
    skip_blocks(method.encoder, recipe.stochastic_depth)
    optimizer = make_optimizer(method, recipe)
    rng = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (count, 3, size, size), dtype=torch.uint8, generator=rng)
    batch = (
        {"labelled": LabelledFrames(pixels, torch.arange(count) % 3, torch.arange(count))}
        if name == "labels"
        else {"frames": Frames(pixels, torch.arange(count))}
    )
    before = next(method.encoder.parameters()).detach().clone()
    for step in range(3):
        set_schedules(optimizer, recipe, step)
        now = Step((step + 1) / recipe.steps, rng)
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            loss = method.loss(**batch, step=now)["loss"]
        loss.backward()
        assert torch.isfinite(loss)
        if recipe.clip_each is not None:
            clip_each(method.parameters(), recipe.clip_each)
        optimizer.step()
        optimizer.zero_grad()
        method.after_step(now)
    learns = next(method.encoder.parameters()).requires_grad
    assert torch.equal(next(method.encoder.parameters()), before) is not learns
