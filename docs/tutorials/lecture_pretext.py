# %% [markdown]
# # Lecture 1: tasks that images set themselves
#
# An image holds many answers that nobody has to write down: which way is up, what stood in a hole, which colour a
# object has. A network that is asked for them has to look at what is there. Seven such tasks, each with what it was
# shown and what it answered. All of them are trained for seconds here, so most answers are still guesses; what matters
# is what is asked, and how each shortcut around it is closed.
#
# The images are those of the body that roamed in the [first run](first_run.md).

# %%
from dataclasses import replace

import embodied_ssl as es
from embodied_ssl.training.callbacks import ShowPanels
from embodied_ssl.training.settings import TrainingSettings


def learn(name, steps, batch_size=32, encoder="conv4", **data):
    """Train for some updates, and show what the task asks and what the method answers."""
    method = es.make_method(name, encoder, image_size=48)
    recipe = replace(method.recipe, steps=steps, batch_size=batch_size)
    settings = TrainingSettings(monitor_every=steps)
    es.train(method, f"lecture/{name}", data, recipe, settings, callbacks=[ShowPanels()])


# %% [markdown]
# ## Which way is up?
#
# [Rotation](../methods/rotation.md): an image is turned by 0°, 90°, 180° or 270°, and the network says by how much. To
# know, it must know how floors, shelves and doors stand. Turns by quarters are exact: no interpolated pixel and no
# empty corner gives the angle away.

# %% tags=["figure:rotation"]
learn("rotation", steps=25, batch_size=16, frames="data/roam")

# %% [markdown]
# ## Where does one patch lie beside another?
#
# [Relative patch](../methods/relative_patch.md): of a patch and one of its eight neighbours, say which neighbour it
# is. A gap and a jitter between them keep lines from running on; dropped colours hide the fringes that a lens leaves.

# %% tags=["figure:relative_patch"]
learn("relative_patch", steps=25, frames="data/roam")

# %% [markdown]
# ## A puzzle of nine tiles
#
# [Jigsaw](../methods/jigsaw.md): nine tiles in disorder; which of many permutations was it? Each tile is brought to
# the same mean and contrast, so that brightness cannot tell its place.

# %% tags=["figure:jigsaw"]
learn("jigsaw", steps=25, batch_size=16, frames="data/roam")

# %% [markdown]
# ## What stood in the hole?
#
# [Context encoder](../methods/context_encoder.md): fill a hole from what is around it. Squared error alone draws a
# blur, the mean of all that could be there; a discriminator beside it asks for one of them.

# %% tags=["figure:context_encoder"]
learn("context_encoder", steps=20, frames="data/roam")

# %% [markdown]
# ## Which colour?
#
# [Colorization](../methods/colorization.md): from lightness to colour, as a distribution over classes of colours,
# since a mug may be red or blue, but hardly the purple in between.

# %% tags=["figure:colorization"]
learn("colorization", steps=25, frames="data/roam")

# %% [markdown]
# [Split-brain](../methods/split_brain.md): two halves of a network, of which one sees lightness and predicts colours,
# the other sees colours and predicts lightness. What is kept sees all of the image, half by half.

# %% tags=["figure:split_brain"]
learn("split_brain", steps=25, frames="data/roam")

# %% [markdown]
# ## In which order?
#
# [Temporal order](../methods/temporal_order.md): three frames of a video; did they happen in this order? Windows are
# drawn where something moves, for where nothing does, every order looks right.

# %% tags=["figure:temporal_order"]
learn("temporal_order", steps=25, batch_size=16, clips="data/roam")
