# %% [markdown]
# # Your own robot and task
#
# Nothing of the package changes for what you add: a module beside your work is named, and from then on its robots,
# tasks, policies and objects are there by name, on the command line (`--plugin`) and in Python; an installed package
# says the same by entry points. An arm needs no code: its URDF will do. This page uses what is in `examples/`, each a
# test of the package.

# %% [markdown]
# ## A robot
#
# A URDF is enough for an arm that pushes and pokes: `--body my_arm.urdf`. To grasp it needs fingers, and a small file
# says which. Here the xArm6 with its own gripper, whose URDF comes with PyBullet:

# %%
description = """
urdf = "pybullet_data:xarm/xarm6_with_gripper.urdf"
tip = "link6"
fingers = ["left_finger", "right_finger"]
"""
with open("xarm6.toml", "w") as file:
    file.write(description)

# %% [markdown]
# Where it stands, how it rests, how its fingers close, where their ends are: all of that is found out from the URDF.
# The file is a body like any other, and drawn in the images of trajectories:

# %%
import embodied_ssl as es

es.collect("grasp", "data/xarm6", episodes=12, size=64, body="xarm6.toml", trajectory=True, cameras=("scene",))
data = es.open("data/xarm6")
act = data.trajectory(0)
{name: values.shape for name, values in act.items()}

# %%
import numpy as np
from PIL import Image

images = act["images/scene"]
shown = images[np.linspace(0, len(images) - 1, 6).astype(int)]
Image.fromarray(np.hstack(shown)).resize((6 * 160, 160))

# %% [markdown]
# ```sh
# embodied-ssl collect grasp --body xarm6.toml --trajectory --out data/xarm6 --episodes 100
# ```
#
# The guide ([your own robot and objects](../guide/own.md)) has every field of the file, and says what becomes of
# object files.

# %% [markdown]
# ## A task
#
# An environment says what happens, a policy what is tried, and one `Kind` all else: what is logged, with its units,
# what captions say of it, and what its pages show. Here an arm puts one object on another.

# %%
import inspect

from examples import pile

print(inspect.getsource(pile).partition("KIND = ")[2])

# %%
es.collect("examples.pile:KIND", "data/pile", episodes=24, size=64, instance=True)
data = es.open("data/pile")
data

# %% [markdown]
# How often did it work?

# %%
stacked = data.table("interactions")["success"]
f"{stacked.sum()} of {len(stacked)} tries left an object on another one"

# %%
rows = np.flatnonzero(stacked)[:4]
before, after = (data.array(f"interactions/rgb_{when}")[rows] for when in ("before", "after"))
Image.fromarray(np.vstack([np.hstack(before), np.hstack(after)])).resize((4 * 160, 2 * 160))

# %% [markdown]
# Whatever learns from images or captions learns from it, and checks, pages and videos know its fields:
#
# ```sh
# embodied-ssl collect pile --plugin examples.pile --out data/pile --episodes 100
# embodied-ssl check data/pile --plugin examples.pile
# embodied-ssl view data/pile --plugin examples.pile --out pile.html
# ```

# %% [markdown]
# ## A policy
#
# Any callable from observation to action is a policy; one that also has `reset(env, rng)` hears of every new episode.

# %%
policy = '''
import numpy as np


class Left:
    """Drives in circles."""

    def reset(self, env, rng):
        self.pace = rng.uniform(0.05, 0.2)

    def __call__(self, observation):
        return np.array([self.pace, 0.2], np.float32)
'''
with open("circles.py", "w") as file:
    file.write(policy)

es.collect("roam", "data/circles", episodes=4, size=48, length=40, policy="circles:Left")
poses = es.open("data/circles").array("frames/pose")[:40]
poses[:, :2, 3].round(1)[::8]  # where it was, m
