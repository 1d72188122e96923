"""Users of another product as scopes below one's own."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from ...store.errors import InvalidInput
from ...store.scope import checked_scope
from ...store.shown import shown

__all__ = ["per_user"]

_SEGMENT = re.compile(r"[^a-z0-9_-]+")


def per_user(drafts: Iterable[Mapping[str, object]], *, scope: str) -> list[Mapping[str, object]]:
    """Gives each draft whose metadata has a ``user_id`` a scope of that user below ``scope``.

    A user id is folded to what a scope allows: lower case, other signs as ``-``, 64 characters at the most; the id
    itself stays in the metadata. Drafts without one stay in ``scope``.

    Raises:
        InvalidInput: a user id that holds nothing of a scope's signs, or two users whose ids fold to the same.
        InvalidScope: the scopes would be deeper than 8.
    """
    users: dict[str, str] = {}
    placed = []
    for draft in drafts:
        metadata = draft.get("metadata")
        user = metadata.get("user_id") if isinstance(metadata, Mapping) else None
        if user is None or user == "":
            placed.append(draft)
            continue
        if not isinstance(user, (str, int)) or isinstance(user, bool):
            raise InvalidInput(f"user_id {shown(user)} is no text; import the file without scopes of users")
        name = str(user)
        segment = _SEGMENT.sub("-", name.lower()).lstrip("-_")[:64].rstrip("-")
        if not segment:
            raise InvalidInput(
                f"user_id {shown(name)} holds no letter or digit that a scope may have (a-z, 0-9); "
                "rename the user in the file, or import it without scopes of users"
            )
        if users.setdefault(segment, name) != name:
            raise InvalidInput(
                f"the users {shown(users[segment])} and {shown(name)} would both be scope {segment!r}; "
                "rename one in the file, or import it without scopes of users"
            )
        placed.append({**draft, "scope": checked_scope(f"{scope}/{segment}", below=scope)})
    return placed
