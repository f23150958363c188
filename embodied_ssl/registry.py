"""Classes by name: each file of a package holds one, and is called as it is; others come from outside (`plugins`)."""

import pkgutil
from collections.abc import Collection
from importlib import import_module
from typing import Any, Generic, TypeVar

from embodied_ssl import plugins
from embodied_ssl.datasets.errors import DataError, unknown_name

T = TypeVar("T")


class Registry(Generic[T]):
    """The classes of one kind.

    Args:
        package: whose files hold one class each.
        base: what all of them extend.
        kind: what one of them is called; `KINDs` is the group of `plugins.GROUPS` that others add theirs to.
    """

    def __init__(self, package: str, base: type[T], kind: str):
        self._package, self._base, self._kind = package, base, kind

    def names(self) -> list[str]:
        """The names of all, sorted."""
        return sorted([*self.built_in(), *self._added()])

    def built_in(self) -> list[str]:
        """The names of those of the package."""
        return [module.name for module in pkgutil.iter_modules(import_module(self._package).__path__)]

    def named(self, name: str) -> type[T]:
        """The class of a name, or of `module:Name`.

        Raises DataError for an unknown name, where it offers the near one, and for what is of another kind.
        """
        if ":" in name:
            return self._from_outside(name)
        if name in (others := self._added()):
            return others[name]
        if name not in self.built_in():
            raise unknown_name(self._kind, name, self.names())
        module = import_module(f"{self._package}.{name}")
        found = [each for each in vars(module).values() if self._is_one(each) and each.__module__ == module.__name__]
        (only,) = found  # a test holds it
        return only

    def name_of(self, each: type[T]) -> str:
        """The name of a class: that of its file, or the one that it was added by.

        Raises DataError where it was not added, and its own name is built in: nothing would find it by that.
        """
        package, _, file = each.__module__.rpartition(".")
        if package == self._package:
            return file
        for name, other in self._added().items():
            if other is each:
                return name
        if (own := plugins.name_of(each)) in self.built_in():
            raise DataError(f"{plugins.origin_of(each)}: {own} is built in; give yours an attribute `name`")
        return own

    def _added(self) -> dict[str, type[T]]:
        return plugins.added(f"{self._kind}s", self._is_one, self.built_in())

    def _from_outside(self, name: str) -> type[T]:
        """The class that `module:Name` stands for, which counts as added from now on."""
        found = plugins.member(name)
        if not self._is_one(found):
            base = f"{self._base.__module__}.{self._base.__qualname__}"
            raise DataError(f"{name} is no {self._kind}; name a class that extends {base}")
        plugins.use(name)
        chosen: type[T] = found
        return chosen

    def _is_one(self, each: Any) -> bool:
        return isinstance(each, type) and issubclass(each, self._base) and each is not self._base


def check_settings(name: str, given: Collection[str], own: Collection[str], needed: Collection[str] = ()) -> None:
    """DataError where something that is called `name` is given a setting that it does not have, or not one it needs."""
    for setting in given:
        if setting not in own:
            raise unknown_name(f"setting of {name}", setting, own) if own else DataError(f"{name} has no settings")
    if missing := [setting for setting in needed if setting not in given]:
        raise DataError(f"{name}: its setting '{missing[0]}' has no default; give a value for it")
