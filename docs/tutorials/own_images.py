# %% [markdown]
# # Your own images
#
# Whatever learns from images learns from yours: a folder, a zip or a tar archive, of any sizes and formats. Where its
# folders are classes, they are labels to measure by; where there are parts (`train`, `val`, `test`), training takes
# `train` alone.

# %% [markdown]
# ## A folder of photographs
#
# Here one is made of images that this package can draw, in four classes of objects and mixed formats, as a stand-in
# for yours.

# %%
from pathlib import Path

import embodied_ssl as es
from PIL import Image

formats = ("jpg", "png", "webp")
for name in ("mug", "teapot", "duck", "car"):
    env = es.make_env("orbit", size=72, categories=name)
    for number in range(40):
        observation, _ = env.reset(seed=number)
        part = "test" if number % 4 == 0 else "train"
        path = Path("photographs", part, name, f"{number:03d}.{formats[number % 3]}")
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(observation["rgb"]).save(path)

print(*sorted(Path("photographs").rglob("*.*"))[:5], sep="\n")

# %% [markdown]
# ## What is taken for what
#
# The reader says how it understood the folder before anything is learned from it.

# %%
from embodied_ssl.datasets.images.sources import image_set

image_set("photographs")

# %% [markdown]
# ## Learn from them
#
# Rotation prediction needs nothing but images (Gidaris et al. 2018). Damaged files are named at once, or left out with
# `skip_damaged`.

# %%
from dataclasses import replace

method = es.make_method("rotation", "conv4", image_size=48)
es.train(method, "runs/rotation-0", {"frames": "photographs"}, replace(method.recipe, steps=80, batch_size=24))

# %% [markdown]
# A run knows by content which images it may have learned from, whatever they are called:

# %%
import json

json.loads(Path("runs/rotation-0/run.json").read_text())["data"]

# %% [markdown]
# ## Measure on the part `test`

# %%
es.evaluate(["runs/rotation-0"], ["photographs"], ["knn", "linear_probe"])

# %% [markdown]
# On the command line:
#
# ```sh
# embodied-ssl train rotation --frames photographs --image_size 48 --steps 80 --out runs/rotation-0
# embodied-ssl evaluate runs/rotation-0 --on photographs --protocol knn,linear_probe
# ```
#
# Archives are read as they are (`--frames photographs.zip`), several sets one after the other (`--frames photographs
# data/roam`), and a backbone of another library brings its own weights:
#
# ```sh
# embodied-ssl train simclr --frames photographs --encoder timm/resnet18 --init pretrained --out runs/simclr-0
# ```
