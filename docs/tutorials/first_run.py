# %% [markdown]
# # First run
#
# From a body in a room to a measured encoder, in five steps.

# %%
from embodied_ssl.datasets.collect.collection import collect

print(collect("roam", "data/roam", episodes=20, size=48, length=40, instance=True))
