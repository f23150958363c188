"""What a policy is by its content: a digest for each piece of code and data that it is made of.

These are its own source and all that the source leads to: helpers, constants, classes, what functions close over, the
state of an instance. What comes with Python, with this package or from an installed one counts by its name.
"""

import dis
import hashlib
import importlib
import importlib.util
import inspect
import sys
import textwrap
import types
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

_DIGITS = 16  # hexadecimal, of a digest
_MOST_PIECES = 200  # of more, each module is one: shards carry them in an attribute, which HDF5 limits to 64 kB
_PLAIN = (type(None), bool, int, float, complex, str, bytes, type(...), type(NotImplemented))
_BARE = (types.FunctionType, types.BuiltinFunctionType, types.WrapperDescriptorType, types.MethodDescriptorType, type)
_INNER = {  # where what wraps a function keeps it, by its type
    "staticmethod": "__func__",
    "classmethod": "__func__",
    "cached_property": "func",
    "_lru_cache_wrapper": "__wrapped__",
    "CPUDispatcher": "py_func",  # of numba
}
_OF_EVERY_CLASS = {"__dict__", "__weakref__", "__module__", "__doc__", "_abc_impl", "__annotations__"}
_OF_INSTALLED = {"site-packages", "dist-packages"}  # folders that package managers fill


class Unidentified(Exception):
    """Something that cannot be told from another one by its content; the message says what."""


def code_digests(policy: Any) -> dict[str, str]:
    """The digest of every piece of a policy, by its name, `module:name` (by `module` where they are very many).

    Raises Unidentified for a lambda, for compiled code, and where its state holds what cannot be pickled.
    """
    pieces = _Pieces(_module_of(policy).partition(".")[0])
    try:
        state = pieces.value(policy)
    except RecursionError as error:
        raise Unidentified("something too deeply nested") from error
    found = {name: _digest(*sorted(parts)) for name, parts in pieces.found.items()}
    if len(found) > _MOST_PIECES:
        modules: dict[str, list[str]] = {}
        for name in sorted(found):
            modules.setdefault(name.partition(":")[0], []).append(name + found[name])
        found = {module: _digest(*parts) for module, parts in modules.items()}
    if not found and pieces.package != "embodied_ssl":
        raise Unidentified(f"{_name(policy)}, which is compiled")
    return found if isinstance(policy, _BARE) else {**found, f"state of {_name(type(policy))}": state}


class _Pieces:
    """Digests values, and collects the pieces of code that they lead to."""

    def __init__(self, package: str):
        self.found: dict[str, set[str]] = {}
        self.package = package  # of the policy: its code counts by its source even where it is installed
        self._digests: dict[int, str] = {}  # of what was seen, by id
        self._alive: list[Any] = []  # so that an id stays that of one object

    def value(self, value: Any) -> str:
        """The digest of a value."""
        if isinstance(value, _PLAIN):
            return _digest(type(value).__name__, repr(value))
        if id(value) not in self._digests:
            self._digests[id(value)] = "in itself"
            self._alive.append(value)
            self._digests[id(value)] = self._new_value(value)
        return self._digests[id(value)]

    def _new_value(self, value: Any) -> str:
        kind = type(value)
        if isinstance(value, _BARE):
            return self._code(value)
        if kind is types.ModuleType:
            return _digest("module", value.__name__)
        if kind in (tuple, list):
            return _digest(kind.__name__, *map(self.value, value))
        if kind in (set, frozenset):
            return _digest(kind.__name__, *sorted(map(self.value, value)))
        if kind in (dict, types.MappingProxyType):
            return _digest(*sorted(self.value(key) + self.value(each) for key, each in value.items()))
        if kind is types.UnionType:  # `int | None`, the type of a field
            return _digest("union", *map(self.value, value.__args__))
        if kind is property:
            return _digest("property", *map(self.value, (value.fget, value.fset, value.fdel)))
        if isinstance(value, np.ndarray | np.generic) and not value.dtype.hasobject:
            content = hashlib.sha256(value.tobytes()).hexdigest()
            return _digest(kind.__name__, str(value.dtype), str(value.shape), content)
        if kind.__module__.startswith("torch") and hasattr(value, "untyped_storage"):  # a tensor; pickle's bytes vary
            content = value.detach().cpu().contiguous().flatten().view(sys.modules["torch"].uint8).numpy()
            return _digest("tensor", str(value.dtype), str(value.shape), hashlib.sha256(content.tobytes()).hexdigest())
        if kind.__name__ in _INNER and not self._is_own(_module_of(kind)):
            return _digest(_name(kind), self.value(getattr(value, _INNER[kind.__name__])))
        return self._pickled(value)

    def _pickled(self, value: Any) -> str:
        """What pickle would write, looked into: its bytes depend on more than the content."""
        try:
            reduced = value.__reduce_ex__(4)
        except Exception as error:  # whatever its class raises
            raise Unidentified(f"a {_name(type(value))}, which cannot be pickled ({error})") from error
        if isinstance(reduced, str):
            if callable(value) and self._is_own(_module_of(value)):
                raise Unidentified(f"{reduced}, which is compiled")
            return _digest("name", _module_of(value), reduced)
        return _digest(*(self.value(list(part) if isinstance(part, Iterator) else part) for part in reduced))

    def _code(self, code: Any) -> str:
        """A function or class by its name; one of one's own is a piece."""
        while hasattr(code, "__wrapped__") and isinstance(code, types.FunctionType) and not self._is_own(_where(code)):
            code = vars(code)["__wrapped__"]  # a decorator of a library counts as little as the library
        name = _name(code)
        if self._is_own(_module_of(code)):
            piece = self._of_class(code) if isinstance(code, type) else self._of_function(name, code)
            self.found.setdefault(name, set()).add(piece)
        return _digest("code", name)

    def _of_class(self, code: type) -> str:
        parts = [key + self.value(each) for key, each in vars(code).items() if key not in _OF_EVERY_CLASS]
        return _digest(self.value(type(code)), *map(self.value, code.__bases__), *sorted(parts))

    def _of_function(self, name: str, function: Any) -> str:
        if not isinstance(function, types.FunctionType):
            raise Unidentified(f"{name}, which is compiled")
        code = function.__code__
        if code.co_name == "<lambda>":
            raise Unidentified(f"a lambda, {name}")
        try:
            source = textwrap.dedent(inspect.getsource(code))
        except (OSError, TypeError):  # made as the program ran, such as the methods of a dataclass
            source = _bytecode(code)
        names = _names(code)
        for key in sorted(names & set(function.__globals__)):
            self._refer(f"{function.__module__}:{key}", function.__globals__[key], names)
        for module in self._imports(code, function.__globals__.get("__package__") or ""):
            self._refer(module.__name__, module, names)
        cells = [cell.cell_contents if _is_filled(cell) else None for cell in function.__closure__ or ()]
        return _digest(source, *map(self.value, (function.__defaults__, function.__kwdefaults__, cells)))

    def _refer(self, where: str, value: Any, names: set[str]) -> None:
        """Something that a function names: code, data, or a module of which it names more."""
        if isinstance(value, types.ModuleType):
            if self._is_own(value.__name__) and id(value) not in self._digests:
                self.value(value)
                for key in sorted(names & set(vars(value))):
                    self._refer(f"{value.__name__}:{key}", vars(value)[key], names)
        elif isinstance(value, _BARE):
            self.value(value)
        else:
            self.found.setdefault(where, set()).add(self.value(value))

    def _imports(self, code: types.CodeType, package: str) -> Iterator[types.ModuleType]:
        """The modules of one's own that a function imports by itself."""
        for step in dis.get_instructions(code):
            if step.opname == "IMPORT_NAME":
                for name in (step.argval, f"{package}.{step.argval}".strip(".")):
                    if name and self._is_own(name):
                        with suppress(ImportError):
                            yield importlib.import_module(name)
        for constant in code.co_consts:
            if isinstance(constant, types.CodeType):
                yield from self._imports(constant, package)

    def _is_own(self, module: str) -> bool:
        """Whether code of a module counts by its source: that of the policy's package, and what nobody installed."""
        top = module.partition(".")[0]
        if top in ("embodied_ssl", "builtins") or top in sys.stdlib_module_names:
            return False
        try:
            found = sys.modules.get(module) or importlib.util.find_spec(module)
        except (ImportError, ValueError):
            found = None
        if found is None or top in (self.package, "__main__"):
            return found is not None
        path = getattr(found, "__file__", None) or getattr(found, "origin", None)
        return path is None or not _OF_INSTALLED & set(Path(path).parts)


def _is_filled(cell: Any) -> bool:
    try:
        cell.cell_contents  # noqa: B018
    except ValueError:
        return False
    return True


def _names(code: types.CodeType) -> set[str]:
    """The names that code and the functions within it use."""
    inner = (_names(constant) for constant in code.co_consts if isinstance(constant, types.CodeType))
    return set(code.co_names).union(*inner)


def _bytecode(code: types.CodeType) -> str:
    constants = [
        _bytecode(each) if isinstance(each, types.CodeType) else repr(sorted(map(repr, each)))
        if isinstance(each, frozenset) else repr(each)
        for each in code.co_consts
    ]  # fmt: skip
    return repr((code.co_code, code.co_names, code.co_varnames, code.co_freevars, constants))


def _module_of(code: Any) -> str:
    owner = code if isinstance(code, _BARE) else type(code)
    return getattr(owner, "__module__", None) or "builtins"


def _where(function: types.FunctionType) -> str:
    """The module that a function was defined in, whatever `functools.wraps` made it say."""
    return str(function.__globals__.get("__name__", ""))


def _name(code: Any) -> str:
    return f"{_module_of(code)}:{getattr(code, '__qualname__', type(code).__qualname__)}"


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:_DIGITS]
