"""Policies by name, as callables, and what they are by content."""

import copy
import importlib
import inspect
from collections.abc import Callable
from typing import Any

from embodied_ssl.datasets.collect.code_identity import Unidentified, code_digests
from embodied_ssl.datasets.collect.recorder import Policy
from embodied_ssl.datasets.collect.settings import named
from embodied_ssl.datasets.errors import DataError, unknown_name
from embodied_ssl.datasets.kinds import kind_of


def built_in_policies(kind: str) -> dict[str, Callable[[], Policy]]:
    """The policies of a kind by name, the default one first."""
    return {name: named(place) for name, place in kind_of(kind).policies.items()}


def policy_name(kind: str, policy: str | Policy | None) -> str:
    """A built-in name, or `module:name`."""
    if policy is None:
        return next(iter(built_in_policies(kind)))
    if isinstance(policy, str):
        return policy
    owner = policy if inspect.isroutine(policy) or inspect.isclass(policy) else type(policy)
    return f"{owner.__module__}:{owner.__qualname__}"


def resolve_policy(kind: str, policy: str | Policy | None) -> Policy:
    """The policy itself, from its name if need be. Raises DataError where there is none of this name."""
    if callable(policy):
        return _made(policy)
    name = policy_name(kind, policy)
    module, colon, attribute = name.partition(":")
    if not colon:
        known = built_in_policies(kind)
        if name not in known:
            raise unknown_name(f"policy of {kind} (or module:name for your own)", name, known)
        return known[name]()
    try:
        found = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise DataError(f"policy {name}: {error}; the module must be importable from here") from error
    if not callable(found):
        raise DataError(f"policy {name}: not callable; give a function or class from observation to action")
    return _made(found)


def policy_content(kind: str, policy: str | Policy | None, player: Policy) -> dict[str, str] | str | None:
    """What a policy is made of: None for a built-in one, else digests by name, or a word why there are none.

    player: what `resolve_policy` made of it.
    """
    if policy is None or (isinstance(policy, str) and ":" not in policy):
        return None  # the version of the package says it
    try:
        return code_digests(player)
    except Unidentified as reason:
        return f"not identified: {reason}"
    except Exception as error:  # of an object that does not let itself be looked at; collecting needs no more of it
        return f"not identified: {type(player).__name__} ({error})"


def _made(policy: Any) -> Any:
    """An instance where a class was given, else a copy: what playing does to it stays here, as it does in workers."""
    if inspect.isclass(policy):
        return policy()
    try:
        return copy.deepcopy(policy)
    except Exception:  # whatever its class raises; it is not needed in one process
        return policy
