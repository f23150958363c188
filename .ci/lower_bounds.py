"""Print the lower bound of each requirement as an exact version: what `make lowest` installs.

torch and torchvision are left out, since they bring gigabytes: their lower bound is the release that tests run with.
"""

from importlib.metadata import requires

from packaging.requirements import Requirement

for text in requires("embodied-ssl") or []:
    requirement = Requirement(text)
    wanted = requirement.marker is None or requirement.marker.evaluate({"extra": ""})
    if wanted and requirement.name not in ("torch", "torchvision"):
        [bound] = requirement.specifier
        print(f"{requirement.name}=={bound.version}")
