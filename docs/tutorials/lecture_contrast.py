# %% [markdown]
# # Lecture 2: contrast, distillation, masks, words
#
# Instead of answering a question about one image, these methods compare images: two views of one image are to
# have similar features, and still differ from those of all other images. Each figure below shows the views that were
# made, and what the features find nearest.

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
# What two views share is what is learned: crops teach that parts belong together, changes of colour teach that
# hue is not what makes an object what it is.

# %% tags=["figure:simclr"]
learn("simclr", steps=25, batch_size=32, frames="data/roam")

# %% [markdown]
# ## MoCo: a longer memory
#
# [MoCo](../methods/moco.md): the same question over a queue of earlier answers, made by an encoder that follows
# slowly, so that they stay comparable. The number of negatives no longer depends on the size of a batch.

# %% tags=["figure:moco"]
learn("moco", steps=25, batch_size=32, frames="data/roam")

# %% [markdown]
# ## DINO: a teacher without labels
#
# [DINO](../methods/dino.md): small crops are to say what a teacher, an average of the student's own past, says of
# large ones. There are no negatives; the difficulty is to keep the teacher from giving the same answer for every image.

# %% tags=["figure:dino"]
learn("dino", steps=20, frames="data/roam")

# %% [markdown]
# ## MAE: three quarters are missing
#
# [MAE](../methods/mae.md): a transformer sees a quarter of the patches, and a small decoder draws the others. The
# encoder never does any work for what is hidden.

# %% tags=["figure:mae"]
learn("mae", steps=20, encoder="vit_tiny", frames="data/roam")

# %% [markdown]
# ## CLIP: captions
#
# [CLIP](../methods/clip.md): images and captions that belong together are told from those that do not. Here the
# captions are made from what the simulator knows. Afterwards a class is recognised by a sentence that describes
# it, without any label.

# %% tags=["figure:clip"]
learn("clip", steps=25, batch_size=64, captions="data/roam")

# %% [markdown]
# ## Whose views?
#
# Two views can also come from a body that moved between them: `--views body`. The features then keep what stays the
# same as one walks around, and the motor signal can be given as a condition.
