# %% [markdown]
# # Your own method
#
# A method is a class: its `__init__` is its settings, the parameters of its `loss` are its data. From these two
# signatures come the command line, the saved configuration, the check of the data and the row in the tables. This page
# adds TiCo (Zhu et al. 2022) from a module outside of the package.

# %%
import inspect

from examples import tico

print(inspect.getsource(tico))

# %% [markdown]
# ## Train it
#
# `module:Class` stands wherever the name of a method is asked for.

# %%
from dataclasses import replace

import embodied_ssl as es

method = es.make_method("examples.tico:TiCo", "conv4", image_size=48)
recipe = replace(method.recipe, steps=40, batch_size=48)
es.train(method, "runs/tico-0", {"frames": "data/roam"}, recipe)

# %% [markdown]
# ## Measure it
#
# A run never imports code by itself. It says which module it needs; here that one is known already.

# %%
es.evaluate(["runs/tico-0"], ["held_out/roam"], ["knn", "linear_probe"])

# %% [markdown]
# On the command line it is one of the methods, with help, settings and all:
#
# ```sh
# embodied-ssl train tico --plugin examples.tico --frames data/roam --out runs/tico-0
# embodied-ssl compare tico simclr --plugin examples.tico --data data/roam --on held_out/roam --out comparison
# ```

# %% [markdown]
# ## Your own encoder and protocol
#
# Any `nn.Module` that gives features or maps of images is an encoder; a protocol is one frozen dataclass, whose fields
# are its settings. `examples/own_encoder.py` and `examples/own_protocol.py` have one of each:

# %%
from examples import own_protocol

print(inspect.getsource(own_protocol.Geometry))

# %%
method = es.make_method("examples.tico:TiCo", "examples.own_encoder:Mixer", image_size=48)
es.train(method, "runs/mixer-0", {"frames": "data/roam"}, replace(recipe, steps=30))
es.evaluate(["runs/tico-0", "runs/mixer-0"], ["held_out/roam"], ["examples.own_protocol:Geometry"])

# %% [markdown]
# ## Take it away
#
# What has been learned leaves as a file that other libraries load, with a model card made from the run: `timm`, `onnx`,
# `torch_export` or `huggingface`.

# %%
from pathlib import Path

folder = es.export("runs/tico-0", "exported", "torch_export")
print(*sorted(path.name for path in folder.iterdir()), sep="\n")
print(Path(folder, "README.md").read_text()[:900])
