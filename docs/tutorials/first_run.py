# %% [markdown]
# # First run
#
# From a body in a room to an encoder and a number that says what it has learned, in five steps. Everything here is
# small: it takes seconds, and its numbers mean little. The same lines with more episodes and updates are an experiment.

# %% [markdown]
# ## A body in a room
#
# An environment is one of Gymnasium's. This body drives on wheels and looks ahead.

# %%
import embodied_ssl as es

env = es.make_env("roam", size=96, scenes="kitchen")
observation, info = env.reset(seed=3)
{name: value.shape for name, value in observation.items()}

# %%
from PIL import Image

Image.fromarray(observation["rgb"]).resize((288, 288))

# %% [markdown]
# It is told how far to drive (m) and how far to turn (rad), and feels what came of it: `motor` is what its own
# odometry measured, slip and noise included.

# %%
observation, reward, terminated, truncated, info = env.step([0.2, 0.3])
observation["motor"], info["command"]

# %% [markdown]
# ## Collect
#
# `collect` lets bodies act and writes what they see, do and feel: one directory, HDF5 inside. The same seed gives the
# same bytes, on any number of workers; what is there already is not made again.

# %%
es.collect("roam", "data/roam", episodes=40, size=48, length=40, instance=True)
dataset = es.open("data/roam")
dataset

# %% [markdown]
# ## Learn
#
# A method is an encoder to keep, heads to throw away, and the loss of a paper. This one learns features in which each
# motion of the body is a linear map (Jayaraman & Grauman 2015). Its data are pairs of frames and the motion between
# them: no label anywhere.

# %%
from dataclasses import replace

method = es.make_method("equivariance", "conv4", image_size=48)
recipe = replace(method.recipe, steps=100)
es.train(method, "runs/equivariance-0", {"pairs": "data/roam"}, recipe)

# %% [markdown]
# ## Measure
#
# In rooms that it has never seen, the scene's type is read off the features by a vote of the nearest neighbours.
# Beside it stand the rows that any claim has to beat: raw pixels, and the same encoder before any training.

# %%
es.collect("roam", "held_out/roam", episodes=60, size=48, length=8, seed=1, scenes="kitchen,office,bathroom,library")
es.evaluate(["runs/equivariance-0"], ["held_out/roam"], ["knn", "equivariance"])

# %% [markdown]
# ## Take the encoder along
#
# What comes back is a plain `torch.nn.Module`, for any loop of yours.

# %%
import torch

encoder = es.load_encoder("runs/equivariance-0")
images = torch.rand(4, 3, 48, 48)  # float, [0, 1]
encoder(images).shape, {name: tuple(maps.shape) for name, maps in encoder.stages(images).items()}

# %% [markdown]
# The same five steps on the command line:
#
# ```sh
# embodied-ssl collect roam --out data/roam --episodes 40 --size 48 --length 40 --instance
# embodied-ssl train equivariance --pairs data/roam --image_size 48 --steps 100 --out runs/equivariance-0
# embodied-ssl collect roam --out held_out/roam --episodes 60 --size 48 --length 8 --seed 1 \
#     --scenes kitchen,office,bathroom,library
# embodied-ssl evaluate runs/equivariance-0 --on held_out/roam --protocol knn,equivariance
# ```
