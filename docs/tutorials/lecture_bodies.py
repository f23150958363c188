# %% [markdown]
# # Lecture 3: learning with a body
#
# A body that moves knows more than its camera shows: it knows what it did. These methods learn from images *and* the
# motor signals between them, or from what a hand felt.

# %%
from dataclasses import replace

import embodied_ssl as es
from embodied_ssl.training.callbacks import ShowPanels
from embodied_ssl.training.settings import TrainingSettings

for kind in ("grasp", "push", "poke"):
    es.collect(kind, f"data/{kind}", episodes=60, size=48, instance=True)


def learn(name, steps, batch_size=32, encoder="conv4", **data):
    """Train for some updates, and show what the task asks and what the method answers."""
    method = es.make_method(name, encoder, image_size=48)
    recipe = replace(method.recipe, steps=steps, batch_size=batch_size)
    settings = TrainingSettings(monitor_every=steps)
    es.train(method, f"lecture/{name}", data, recipe, settings, callbacks=[ShowPanels()])


# %% [markdown]
# ## How did I move?
#
# [Egomotion](../methods/egomotion.md): from two frames, say how far the body drove and turned. The idea goes back
# to Held and Hein's kittens (1963): the one that walked by itself learned to see depth, the one that was carried did
# not.

# %% tags=["figure:egomotion"]
learn("egomotion", steps=25, pairs="data/roam")

# %% [markdown]
# ## What is near in time is alike
#
# [Temporal coherence](../methods/temporal_coherence.md) and [DrLIM](../methods/drlim.md) pull frames of one moment
# together and push others apart. They use that the body moved little, and not how.

# %% tags=["figure:temporal_coherence"]
learn("temporal_coherence", steps=25, pairs="data/roam")

# %% tags=["figure:drlim"]
learn("drlim", steps=25, pairs="data/roam")

# %% [markdown]
# ## Motion as a map on features
#
# [Equivariance](../methods/equivariance.md): features should not ignore motion but follow it. For each pattern of
# motion, such as a left turn, one linear map leads the features of a frame to those of the next. Below each pair stand
# the frames of the batch that lie nearest to where the map led.

# %% tags=["figure:equivariance"]
learn("equivariance", steps=25, pairs="data/roam")

# %% [markdown]
# [Continuous equivariance](../methods/continuous_equivariance.md) makes the map from the motion itself, so that no
# patterns are needed.

# %% tags=["figure:continuous_equivariance"]
learn("continuous_equivariance", steps=25, pairs="data/roam")

# %% [markdown]
# ## What will I see?
#
# [View prediction](../methods/view_prediction.md) decodes the next frame from the features and the motion. It is asked
# for every pixel, also those that no feature needs.

# %% tags=["figure:view_prediction"]
learn("view_prediction", steps=25, pairs="data/roam")

# %% [markdown]
# ## What does it feel like?
#
# [The Curious Robot](../methods/curious_robot.md): one trunk that predicts which grasps hold, what push led from one
# image to the other, how hard something is to a finger, and which two images show one object.

# %% tags=["figure:curious_robot"]
learn("curious_robot", steps=25, grasps="data/grasp", pushes="data/push", pokes="data/poke", pairs="data/grasp")

# %% [markdown]
# ## With labels, and together
#
# [Labels](../methods/labels.md) is the row that all of these are measured against: the same encoder, told the answers.
# [Joint](../methods/joint.md) trains any of them on one encoder, each on its own data.

# %% tags=["figure:labels"]
learn("labels", steps=25, labelled="data/roam")
