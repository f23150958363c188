# %% [markdown]
# # The lecture 2: contrast, distillation, masks, words
#
# Instead of answering a question about one image, these methods compare images: two views of one thing are to be
# alike, and what is alike must still be told from everything else. Each picture below shows the views that were made,
# and what the features find nearest.

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
# ## SimCLR: find your other view
#
# [SimCLR](../methods/simclr.md): of all views in a batch, each has to name the one that was cut from the same image.
# What two views share is what is learned: crops teach that parts belong together, changes of colour that hue is not
# what things are.

# %% tags=["figure:simclr"]
learn("simclr", steps=40, batch_size=32, frames="data/roam")

# %% [markdown]
# ## MoCo: a longer memory
#
# [MoCo](../methods/moco.md): the same question over a queue of earlier answers, made by an encoder that follows
# slowly, so that they stay comparable. The number of things to be told from no longer hangs on the size of a batch.

# %% tags=["figure:moco"]
learn("moco", steps=40, batch_size=32, frames="data/roam")

# %% [markdown]
# ## DINO: a teacher without labels
#
# [DINO](../methods/dino.md): small crops are to say what a teacher, an average of the student's own past, says of
# large ones. Nothing is told apart explicitly; that the teacher does not come to say the same of everything is the art
# of it.

# %% tags=["figure:dino"]
learn("dino", steps=30, frames="data/roam")

# %% [markdown]
# ## MAE: three quarters are missing
#
# [MAE](../methods/mae.md): a transformer sees a quarter of the patches, and a small decoder draws the others. The
# encoder never does any work for what is hidden.

# %% tags=["figure:mae"]
learn("mae", steps=30, encoder="vit_tiny", frames="data/roam")

# %% [markdown]
# ## CLIP: captions
#
# [CLIP](../methods/clip.md): images and captions that belong together are told from those that do not. Here the
# captions are made from what the simulator knows. Afterwards a class is a sentence: labels are not learned, but
# described.

# %% tags=["figure:clip"]
learn("clip", steps=40, batch_size=64, captions="data/roam")

# %% [markdown]
# ## Whose views?
#
# Two views of a thing can also be given by a body that moved between them: `--views body`. What is then learned to be
# alike is what stays as one walks around, and the motor signal can be given as a condition.
