"""What the comparison in test_stateful.py expects: notes as plain dictionaries know them."""

from dataclasses import dataclass, field

__all__ = ["Memo", "Model", "sees"]


@dataclass
class Memo:
    """One version of a note, as the model knows it."""

    id: str
    text: str
    scope: str
    thread: str
    lineage: str
    num: int
    home: tuple[str, str] | None
    speaker: str = ""
    parents: tuple[str, ...] = ()
    key: str | None = None
    replaces: str | None = None
    current: bool = True
    taken_back: bool = False


@dataclass
class Model:
    """What must be remembered."""

    memos: dict[str, Memo] = field(default_factory=dict)
    turns: dict[tuple[str, str], list[str]] = field(default_factory=dict)  # (scope, thread) -> lineages in order
    moments: list[frozenset[str]] = field(default_factory=lambda: [frozenset()])  # per change: what was current
    forgotten: dict[str, str] = field(default_factory=dict)  # id -> text
    held: dict[str, int] = field(default_factory=dict)  # lineage in quarantine -> in which call it was put there
    along: set[str] = field(default_factory=set)  # lineages that are held because of what they were made of
    calls: int = 0

    def current(self, scope: str) -> list[Memo]:
        """Visible to a handle, newest first."""
        found = [memo for memo in self.memos.values() if self.shows(memo) and sees(scope, memo.scope)]
        return sorted(found, key=lambda memo: -memo.num)

    def of(self, lineage: str) -> Memo:
        return next(memo for memo in self.memos.values() if memo.lineage == lineage and memo.current)

    def previous(self, memo: Memo) -> str:
        turns = self.turns[memo.scope, memo.thread] if memo.thread else [memo.lineage]
        before = [lineage for lineage in turns[: turns.index(memo.lineage)] if lineage not in self.held]
        return self.of(before[-1]).text if before else ""

    def shows(self, memo: Memo) -> bool:
        return memo.current and memo.lineage not in self.held

    def changed(self, times: int = 1) -> None:
        now = frozenset(memo.id for memo in self.memos.values() if self.shows(memo))
        self.moments += [now] * times

    def versions(self, lineages: set[str]) -> list[Memo]:
        return [memo for memo in self.memos.values() if memo.lineage in lineages]

    def made_of(self, lineages: set[str]) -> set[str]:
        """Lineages made of these, and of what was made of those."""
        found = set(lineages)
        while True:
            ids = {memo.id for memo in self.versions(found)}
            more = {memo.lineage for memo in self.memos.values() if ids & set(memo.parents)} - found
            if not more:
                return found - lineages
            found |= more

    def parents(self, lineage: str) -> set[str]:
        """Lineages that any version of a note was made of."""
        return {self.memos[id].lineage for memo in self.versions({lineage}) for id in memo.parents} - {lineage}

    def stale(self, memo: Memo) -> bool:
        for parent in (self.memos[id] for id in memo.parents):
            now = [other for other in self.versions({parent.lineage}) if other.current]
            if not parent.current and not any((o.text, o.home) == (parent.text, parent.home) for o in now):
                return True
            if self.stale(parent):
                return True
        return False

    def newest(self, memo: Memo) -> tuple[str, ...]:
        """What a revision is made of: what the old version was made of, as it is now."""
        found = []
        for parent in (self.memos[id] for id in memo.parents):
            now = [other.id for other in self.versions({parent.lineage}) if other.current]
            found.append((now or [parent.id])[0])
        return tuple(dict.fromkeys(found))

    def hold(self, lineages: set[str]) -> set[str]:
        """Returns the lineages that go into quarantine when these are meant."""
        self.calls += 1
        made = self.made_of(lineages) - self.held.keys() - lineages
        new = (lineages - self.held.keys()) | made
        self.held |= dict.fromkeys(new, self.calls)
        self.along |= {lineage for lineage in new if self.parents(lineage) & self.held.keys()}
        return new

    def release(self, lineages: set[str]) -> set[str]:
        """Returns the lineages that come out of quarantine when these are meant."""
        freed = lineages & self.held.keys()
        made = self.made_of(freed) & self.held.keys()
        for lineage in sorted(made - freed, key=lambda one: self.memos[one].num):
            if lineage in self.along and not (self.parents(lineage) & self.held.keys()) - freed:
                freed = freed | {lineage}
        for lineage in freed:
            del self.held[lineage]
        self.along -= freed
        return freed


def sees(scope: str, other: str) -> bool:
    return other == scope or other.startswith(scope + "/")
