"""Policies by name, as callables, and what they and all else that others have added are by content."""

import copy
import hashlib
import inspect
from collections.abc import Callable
from typing import Any

from embodied_ssl.datasets.collect.code_identity import Unidentified, code_digests
from embodied_ssl.datasets.collect.recorder import Policy
from embodied_ssl.datasets.collect.settings import environment_class, named, simulation
from embodied_ssl.datasets.errors import DataError, unknown_name
from embodied_ssl.datasets.kinds import kind_of
from embodied_ssl.plugins import NoPlugin, added, member

Content = dict[str, str] | str | None
"""Digests by name, or a word why there are none; None of what the version of this package says."""


def policies_of(kind: str) -> dict[str, Callable[[], Policy]]:
    """The policies of a kind by name, the default one first, and those that others have added for any kind."""
    own = {name: named(place) for name, place in kind_of(kind).policies.items()}
    try:
        return own | added("policies", lambda each: inspect.isclass(each) and _acts(each), declared=callable)
    except NoPlugin as error:
        raise DataError(f"policy {error}") from error


def _acts(each: type) -> bool:
    """Whether a class is of policies that are told of episodes; any other callable has to be named."""
    return {"reset", "__call__"} <= set().union(*(vars(base) for base in each.__mro__))


def policy_name(kind: str, policy: str | Policy | None) -> str:
    """A built-in name, or `module:name`."""
    if policy is None:
        return next(iter(kind_of(kind).policies))
    if isinstance(policy, str):
        return policy
    owner = policy if inspect.isroutine(policy) or inspect.isclass(policy) else type(policy)
    return f"{owner.__module__}:{owner.__qualname__}"


def resolve_policy(kind: str, policy: str | Policy | None) -> Policy:
    """The policy itself, from its name if need be. Raises DataError where there is none of this name."""
    if callable(policy):
        return _made(policy)
    name = policy_name(kind, policy)
    if ":" not in name:
        known = policies_of(kind)
        if name not in known:
            raise unknown_name(f"policy of {kind} (or module:name for your own)", name, known)
        return known[name]()
    try:
        found = member(name)
    except NoPlugin as error:
        raise DataError(f"policy {name}: {error}") from error
    if not callable(found):
        raise DataError(f"policy {name}: not callable; give a function or class from observation to action")
    return _made(found)


def policy_content(policy: str | Policy | None, player: Policy) -> Content:
    """What a policy is made of; None for one of ours that was named. player: what `resolve_policy` made of it."""
    if (policy is None or (isinstance(policy, str) and ":" not in policy)) and _is_ours(type(player)):
        return None
    return _content(player)


def added_content(kind: str, settings: dict[str, Any]) -> Content:
    """What else others have added to a collection: the environment with the fields it logs, a gripper, objects."""
    declared, others = kind_of(kind), []
    if not _is_ours(environment := environment_class(kind)):
        others.append(environment)
    if "body" in settings:
        others.append(simulation("embodied_ssl.envs.bodies.catalogue").gripper_class(settings["body"]))
    if "objects" in settings:
        others.append(simulation("embodied_ssl.envs.world.objects.sets").added_objects(settings["objects"]))
    contents = [_content(each) for each in others if each is not None and not _is_ours(each)]
    if not contents:
        return None
    pieces = {f"fields of {kind}": hashlib.sha256(repr(declared.fields).encode()).hexdigest()[:16]}
    for content in contents:
        if isinstance(content, str):
            return content
        pieces |= content
    return pieces


def _content(each: Any) -> dict[str, str] | str:
    try:
        return code_digests(each)
    except Unidentified as reason:
        return f"not identified: {reason}"
    except Exception as error:  # of an object that does not let itself be looked at; collecting needs no more of it
        return f"not identified: {type(each).__name__} ({error})"


def _is_ours(each: Any) -> bool:
    owner = each if inspect.isclass(each) or inspect.isroutine(each) else type(each)
    return owner.__module__.partition(".")[0] == "embodied_ssl"


def _made(policy: Any) -> Any:
    """An instance where a class was given, else a copy: what playing does to it stays here, as it does in workers."""
    if inspect.isclass(policy):
        return policy()
    try:
        return copy.deepcopy(policy)
    except Exception:  # whatever its class raises; it is not needed in one process
        return policy
