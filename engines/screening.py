"""Secrets and personal data, found before they are written; the store knows nothing of this.

Keys are told by the prefixes that their makers document, so that ordinary words are left alone; card numbers and IBANs
must pass their checksums. What has no form of its own (a password in a sentence, an address) is found only where a
word before it says so, and only if asked for. No screen finds everything: it keeps accidents out, not intent.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol

from ..store.errors import InvalidInput
from ..store.note import Draft, Triplet
from .secret_patterns import KINDS, found

__all__ = ["PatternScreen", "Policy", "Screen", "Secret", "SecretFound", "screened"]

Policy = Literal["refuse", "redact", "allow"]
_SIDES = ("subject", "relation", "object")


class SecretFound(InvalidInput):
    """A text holds what the screen keeps out; the message names its kind and place, never the secret itself."""


@dataclass(frozen=True, slots=True)
class Secret:
    """Something in a text that should not be kept.

    Attributes:
        kind: what it is, for example ``"github token"``.
        start: its first character.
        end: the character after its last one.
    """

    kind: str
    start: int
    end: int


class Screen(Protocol):
    """Finds what must not be kept, and says what to do about it."""

    @property
    def policy(self) -> Policy:
        """Returns ``"refuse"`` the note, ``"redact"`` what was found, or ``"allow"`` it."""
        ...

    def inspect(self, text: str) -> Sequence[Secret]:
        """Returns what was found, in order, without overlaps."""
        ...


@dataclass(frozen=True, slots=True)
class PatternScreen:
    """A screen of patterns and checksums; needs no model and no other package.

    Args:
        policy: ``"refuse"``, ``"redact"`` or ``"allow"``.
        kinds: what to look for, out of ``keys`` (keys, tokens and private keys of many services, credentials in
            URLs), ``cards``, ``ibans``, ``passwords`` (``password is …``), ``emails`` and ``phones``.

    Raises:
        InvalidInput: an unknown policy or kind.
    """

    policy: Policy = "refuse"
    kinds: Collection[str] = ("keys", "cards", "ibans")

    def __post_init__(self) -> None:
        if self.policy not in ("refuse", "redact", "allow"):
            raise InvalidInput(f"policy {self.policy!r} is unknown; use 'refuse', 'redact' or 'allow'")
        if isinstance(self.kinds, str) or not set(self.kinds) <= set(KINDS):
            raise InvalidInput(f"kinds {self.kinds!r} are unknown; use some of {', '.join(KINDS)}, as a list")

    def inspect(self, text: str) -> list[Secret]:
        """Returns what was found in a text, in order; what overlaps is one, of the kind that begins first."""
        secrets: list[Secret] = []
        every = (one for kind in KINDS if kind in self.kinds for one in found(kind, text))
        for kind, start, end in sorted(every, key=lambda one: (one[1], -one[2])):
            if secrets and start < secrets[-1].end:
                secrets[-1] = replace(secrets[-1], end=max(end, secrets[-1].end))
            else:
                secrets.append(Secret(kind, start, end))
        return secrets


def screened(draft: Draft, screen: Screen) -> Draft:
    """Returns a draft as the screen lets it be written.

    Looked at are the text, the speaker, source and thread, all names and texts of the metadata, and the sides of the
    facts; also the idempotency key, which cannot be redacted without making two notes one, and so is refused instead.

    Args:
        draft: checked values.
        screen: what to look for, and what to do about it.

    Raises:
        SecretFound: the policy is ``"refuse"``, or the key holds a secret.
    """
    if screen.policy == "allow":
        return draft
    if draft.key is not None:
        _refuse(draft.key, "the key", screen.inspect(draft.key))
    return replace(
        draft,
        text=_clean(draft.text, "the text", screen),
        speaker=_clean(draft.speaker, "the speaker", screen),
        source=_clean(draft.source, "the source", screen),
        thread=_clean(draft.thread, "the thread", screen),
        metadata=_mapping(draft.metadata, "the metadata", screen),
        facts=tuple(_fact(fact, screen) for fact in draft.facts),
    )


def _clean(text: str, what: str, screen: Screen) -> str:
    """Returns a text without its secrets, each replaced by ``[kind]``."""
    secrets = screen.inspect(text)
    if screen.policy == "refuse":
        _refuse(text, what, secrets)
    pieces, last = [], 0
    for secret in secrets:
        pieces += [text[last : secret.start], f"[{secret.kind}]"]
        last = secret.end
    return "".join((*pieces, text[last:]))


def _refuse(text: str, what: str, secrets: Sequence[Secret]) -> None:
    if secrets:
        first, more = secrets[0], len(secrets) - 1
        others = f" (and {more} more)" if more else ""
        article = "an" if first.kind[0] in "aeiou" else "a"
        raise SecretFound(
            f"{what} holds what looks like {article} {first.kind} at character {first.start}{others}; nothing was "
            "written. Take it out, or let the screen replace it with policy='redact'"
        )


def _fact(fact: Triplet, screen: Screen) -> Triplet:
    subject, relation, target = (
        _clean(side, f"the {name} of a fact", screen)
        for name, side in zip(_SIDES, (fact.subject, fact.relation, fact.object), strict=True)
    )
    return replace(fact, subject=subject, relation=relation, object=target)


def _value(value: object, what: str, screen: Screen) -> object:
    if isinstance(value, str):
        return _clean(value, what, screen)
    if isinstance(value, Mapping):
        return _mapping(value, what, screen)
    if isinstance(value, (list, tuple)):
        return [_value(item, f"{what}[{place}]", screen) for place, item in enumerate(value)]
    return value


def _mapping(value: Mapping[str, object], what: str, screen: Screen) -> Mapping[str, object]:
    return dict(_entries(value, what, screen))


def _entries(value: Mapping[str, object], what: str, screen: Screen) -> Iterator[tuple[str, object]]:
    taken: set[str] = set()
    for place, (name, item) in enumerate(value.items()):
        clean = _clean(name, f"name {place} of {what}", screen)
        if clean != name and (clean in value or clean in taken):
            clean = f"{clean} {place}"  # two redacted names may not become one
        taken.add(clean)
        yield clean, _value(item, f"{what}[{clean!r}]", screen)
