"""Studies, experiments as declarations, by name: the files here that end in a `STUDY`, and what others add."""

from dataclasses import replace
from importlib import import_module
from pkgutil import iter_modules

from embodied_ssl import plugins
from embodied_ssl.datasets.errors import DataError, unknown_name
from embodied_ssl.studies.study import Figure, On, Row, Size, Study

__all__ = ["Figure", "On", "Row", "Size", "Study", "built_in_studies", "study_named", "study_names"]

_MACHINERY = ("study", "data", "experiment", "cells", "run", "progress", "record", "write", "verify")
"""The files here that are no studies; a test holds that all others are."""


def study_names() -> list[str]:
    """The names of all studies, sorted: those of the files here, and those that were added (`plugins`)."""
    return sorted([*built_in_studies(), *_added()])


def study_named(name: str) -> Study:
    """The study of a name, or the one that `module:Name` stands for. Raises DataError where there is none."""
    if ":" in name:
        return _from_outside(name)
    if name in (others := _added()):
        return others[name]
    if name not in built_in_studies():
        raise unknown_name("study", name, study_names())
    return replace(import_module(f"{__name__}.{name}").STUDY, name=name)


def built_in_studies() -> list[str]:
    """The names of those of the files here."""
    return [module.name for module in iter_modules(__path__) if module.name not in _MACHINERY]


def _added() -> dict[str, Study]:
    found = plugins.added("studies", lambda each: isinstance(each, Study), built_in_studies())
    if unnamed := [study for study in found.values() if not study.name]:
        raise DataError(f"a study from outside needs a name: Study(name=..., question={unnamed[0].question!r})")
    return found


def _from_outside(name: str) -> Study:
    """The study that `module:Name` stands for, which counts as added from now on."""
    study = plugins.member(name)
    if not isinstance(study, Study):
        raise DataError(f"{name} is no study; name a Study of embodied_ssl.studies")
    if not study.name:
        raise DataError(f"{name}: a study from outside needs a name, Study(name=..., ...)")
    plugins.use(name)
    return study
