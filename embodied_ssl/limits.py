"""What values settings may have: said in their annotations, and held wherever they are given.

`temperature: Positive = 0.2` is a float to a type checker, and to the help of the command line a float of more than 0.
"""

import functools
import inspect
import math
import operator
import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from numbers import Real
from pathlib import Path
from typing import Annotated, Any, Literal, ParamSpec, TypeVar, Union, get_args, get_origin, get_type_hints

from embodied_ssl.datasets.errors import DataError, unknown_name

_P = ParamSpec("_P")
_R = TypeVar("_R")


@dataclass(frozen=True)
class Limits:
    """The smallest and the largest value, and whether they are allowed themselves."""

    least: float = -math.inf
    most: float = math.inf
    least_too: bool = True
    most_too: bool = True

    def __contains__(self, value: float) -> bool:
        above = value >= self.least if self.least_too else value > self.least
        return above and (value <= self.most if self.most_too else value < self.most)

    def __str__(self) -> str:
        low = f"at least {self.least:g}" if self.least_too else f"more than {self.least:g}"
        high = f"at most {self.most:g}" if self.most_too else f"less than {self.most:g}"
        return low if self.most == math.inf else f"{low} and {high}"


Count = Annotated[int, Limits(1)]
Several = Annotated[int, Limits(2)]
Whole = Annotated[int, Limits(0)]
Positive = Annotated[float, Limits(0, least_too=False)]
NonNegative = Annotated[float, Limits(0)]
Share = Annotated[float, Limits(0, 1)]
ShareButAll = Annotated[float, Limits(0, 1, most_too=False)]
SomeShare = Annotated[float, Limits(0, 1, least_too=False)]
Seed = Annotated[int, Limits(0, 2**63 - 1)]
"""Data files hold it as int64."""
Turn = Annotated[float, Limits(0, math.pi)]
Angle = Annotated[float, Limits(0, math.pi, least_too=False, most_too=False)]
"""Of view, rad."""


def within_limits(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """A function that raises DataError where an argument is outside its limits; numbers of NumPy come in as Python's.

    Held are numbers, which are always finite ones, booleans, and choices (Literal), by the annotations of the function.
    """
    signature = inspect.signature(function)

    @functools.wraps(function)
    def checked(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        given = signature.bind(*args, **kwargs)
        given.arguments.update(hold(hints_of(function), given.arguments))
        return function(*given.args, **given.kwargs)

    return checked


def hold(hints: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """The values by name, numbers as Python's own. Raises DataError where an annotation does not allow one."""
    return {name: _held(name, hints[name], value) if name in hints else value for name, value in values.items()}


def hold_fields(settings: Any) -> None:
    """Hold the fields of a frozen dataclass to their limits; for its `__post_init__`. Raises DataError as `hold`."""
    for name, value in hold(hints_of(type(settings)), vars(settings)).items():
        object.__setattr__(settings, name, value)


def hints_of(annotated: Any) -> dict[str, Any]:
    """The annotations of a function or a class. Raises DataError where only a type checker knows a name in them."""
    try:
        return get_type_hints(annotated, include_extras=True)
    except NameError as error:
        raise DataError(
            f"{annotated.__module__}:{annotated.__qualname__}: {error.name} of its annotations is not there; import it "
            "outside of `if TYPE_CHECKING`"
        ) from None


def _held(name: str, hint: Any, value: Any) -> Any:
    origin, options = get_origin(hint), get_args(hint)
    if is_dataclass(hint) and isinstance(hint, type):
        return _dataclass(name, hint, value)
    if origin is Annotated and isinstance(options[1], Limits):
        number = _held(name, options[0], value)
        if number not in options[1]:
            raise DataError(f"{name}: {value}; give {options[1]}")
        return number
    if origin in (Union, types.UnionType):
        numeric = [option for option in options if option is not type(None)]
        return value if value is None or len(numeric) > 1 else _held(name, numeric[0], value)
    if origin is Literal and value not in options:
        raise unknown_name(name, str(value), map(str, options))
    if isinstance(origin, type) and issubclass(origin, Sequence) and isinstance(value, str | Path):
        raise DataError(f"{name}: '{value}'; give a list, ['{value}']")  # else its letters would be taken
    if origin is tuple:
        return _tuple(name, options, value)
    if hint is bool:
        return _boolean(name, value)
    if hint is Path and isinstance(value, str):
        return Path(value)  # a text in JSON
    return _number(name, hint, value) if hint in (int, float) else value


def _tuple(name: str, options: tuple[Any, ...], value: Any) -> tuple[Any, ...]:
    """A tuple of a list, as which JSON holds it; of any length (`tuple[float, ...]`), or of a fixed one."""
    if not isinstance(value, list | tuple):
        raise DataError(f"{name}: {value!r}; give a list")
    options = options[:1] * len(value) if options[1:] == (...,) else options
    if len(value) != len(options):
        raise DataError(f"{name}: {value!r}; give a list of {len(options)}")
    return tuple(_held(name, option, each) for option, each in zip(options, value, strict=True))


def _boolean(name: str, value: Any) -> bool:
    """NumPy's, and 0 and 1, count as well; no text, which would always be true."""
    if isinstance(value, str) or value not in (False, True):
        raise DataError(f"{name}: {value!r}; give True or False")
    return bool(value)


def _dataclass(name: str, kind: type, value: Any) -> Any:
    """An instance of a dataclass, of one or of its fields by name."""
    if isinstance(value, kind):
        return value
    own = [field.name for field in fields(kind)]  # type: ignore[arg-type]
    if not isinstance(value, Mapping):
        raise DataError(f"{name}: {value!r}; give a {kind.__name__}, or a dictionary of {', '.join(own)}")
    for each in value:
        if each not in own:
            raise unknown_name(f"setting of {name}", each, own)
    return kind(**hold(hints_of(kind), value))  # a plain one does not hold its fields itself


def _number(name: str, kind: type[int] | type[float], value: Any) -> int | float:
    number: int | float | None
    try:
        number = operator.index(value) if kind is int else float(value) if isinstance(value, Real) else None
    except TypeError:
        number = None
    if number is None or isinstance(value, bool):
        raise DataError(f"{name}: {value!r}; give {'a whole number' if kind is int else 'a number'}")
    if isinstance(number, float) and not math.isfinite(number):
        raise DataError(f"{name}: {value}; give a finite number")
    return number
