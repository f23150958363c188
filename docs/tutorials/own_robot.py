# %% [markdown]
# # Your own robot and task
#
# Nothing of the package changes for what you add: a module beside your work is named, and from then on its robots,
# tasks, policies and objects are there by name, on the command line (`--plugin`) and in Python. This page uses two
# modules of `examples/`, each a test of the package; an installed package says the same by entry points.

# %% [markdown]
# ## A robot
#
# KUKA's iiwa, whose URDF comes with PyBullet, as a gripper. Any arm takes as few lines: where it stands, how it rests,
# which link is its hand.

# %%
import inspect

from examples import kuka

print(inspect.getsource(kuka.Kuka))

# %% [markdown]
# It grasps, pushes and pokes as the others do. `module:Class` stands wherever the name of a body is asked for:

# %%
import embodied_ssl as es

es.collect("grasp", "data/kuka", episodes=12, size=64, body="examples.kuka:Kuka", instance=True)
es.open("data/kuka")

# %% [markdown]
# ```sh
# embodied-ssl collect grasp --body examples.kuka:Kuka --out data/kuka --episodes 100
# ```

# %% [markdown]
# ## A task
#
# An environment says what happens, a policy what is tried, and one `Kind` all else: what is logged, with its units,
# what captions say of it, and what its pages show. Here an arm puts one object on another.

# %%
from examples import stack

print(inspect.getsource(stack).partition("KIND = ")[2])

# %%
es.collect("examples.stack:KIND", "data/stack", episodes=24, size=64, instance=True)
data = es.open("data/stack")
data

# %% [markdown]
# How often did it work?

# %%
stacked = data.table("interactions")["success"]
f"{stacked.sum()} of {len(stacked)} tries left an object on another one"

# %%
import numpy as np
from PIL import Image

rows = np.flatnonzero(stacked)[:4]
before, after = (data.array(f"interactions/rgb_{when}")[rows] for when in ("before", "after"))
Image.fromarray(np.vstack([np.hstack(before), np.hstack(after)])).resize((4 * 160, 2 * 160))

# %% [markdown]
# Whatever learns from images or captions learns from it, and checks, pages and videos know its fields:
#
# ```sh
# embodied-ssl collect stack --plugin examples.stack --out data/stack --episodes 100
# embodied-ssl check data/stack --plugin examples.stack
# embodied-ssl view data/stack --plugin examples.stack --out stack.html
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
