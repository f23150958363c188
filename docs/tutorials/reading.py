# %% [markdown]
# # Reading the data with h5py and pandas
#
# A data set is a directory of HDF5 files that describe themselves. Nothing of this package is needed to read them;
# with it, many files are one set, mapped into memory. This page reads the same data both ways.

# %%
import embodied_ssl as es

print(es.collect("poke", "data/touch", episodes=100, size=48, instance=True))

# %% [markdown]
# ## With h5py
#
# Every array says its unit and what it means; the file says what it was collected from.

# %%
from pathlib import Path

import h5py

file = h5py.File(min(Path("data/touch").glob("*.h5")))
for path in ("interactions/rgb_before", "interactions/force", "interactions/depth_travelled", "objects/material"):
    array = file[path]
    unit, description = (array.attrs[name].decode() for name in ("unit", "description"))
    print(f"{path}: {array.dtype} {array.shape}, {unit}: {description}")

# %%
{name: str(value)[:70] for name, value in file.attrs.items()}

# %% [markdown]
# The force that a finger felt in the first poke, newtons, about its first contact:

# %%
depth, force = file["interactions/depth_travelled"][0], file["interactions/force"][0]
for i in range(0, len(force), 8):
    print(f"{1000 * depth[i]:6.2f} mm {force[i]:7.2f} N {'█' * round(force[i])}")

# %% [markdown]
# ## With pandas
#
# `table` gives the columns of `interactions` (or `frames`), `episodes` and `objects` over all files of the set, as
# rows that point at each other.

# %%
import pandas

dataset = es.open("data/touch")
interactions = pandas.DataFrame(dataset.table("interactions")["object"], columns=["object"])
objects = pandas.DataFrame({name: dataset.table("objects")[name] for name in ("category", "instance", "material")})
objects.head()

# %% [markdown]
# What does a finger feel of each material? The stiffness is the slope of force over depth, and the camera's image is
# all that one has to go by before touching.

# %%
import numpy as np

rows = dataset.interactions[np.arange(len(dataset))]
touched = interactions["object"] >= 0
stiffest = [
    np.max(force[depth > 0] / np.maximum(depth[depth > 0], 1e-3), initial=0)
    for force, depth in zip(rows["force"], rows["depth_travelled"], strict=True)
]
felt = objects.loc[interactions["object"][touched], ["material"]].assign(stiffness=np.array(stiffest)[touched])
felt.groupby("material")["stiffness"].agg(["count", "median"]).sort_values("median").round(0)

# %% [markdown]
# ## Images by row
#
# Indexing reads exactly those rows, from memory that all processes share.

# %%
from PIL import Image

images = dataset.array("interactions/rgb_before")[[0, 5, 10, 15, 20, 25]]
Image.fromarray(np.hstack(images)).resize((6 * 128, 128))

# %% [markdown]
# ## Batches for training
#
# A stream cuts batches out of a set. The batch of a step is always the same, whoever asks.

# %%
from embodied_ssl.datasets.read.streams import Batches

batch = Batches(es.open("data/roam").pairs(max_gap_s=0.5), batch_size=64, seed=0)[17]
batch.first.shape, batch.first.dtype, batch.motion.shape, batch.motion[:3]
