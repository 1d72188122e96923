"""PostgreSQL gives the answers of SQLite: the same words, the same scores, the same order."""

import math
import random
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from factories import HashEmbedder, Memories, disagreements  # type: ignore[import-not-found]
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from servers import Server  # type: ignore[import-not-found]

from tercet.store.form import Cue
from tercet.store.notes import Filter  # type: ignore[attr-defined]
from tercet.store.tokens import Tokenizer

pytestmark = pytest.mark.postgres

_LATIN = "the Ada river running runs runner café CAFÉ naïve Ångström foo_bar bar_foo __init__ don't C++ 3.14 x² ½ ﬁne"
_OTHER = "日本 日本語 東京タワー สวัสดี नमस्ते हिन्दी Привет ПРИВЕТ İstanbul straße ẞ 🎉 👩‍👧 e\u0301 o\u0308l ___ a_b_c 42"
WORDS = f"{_LATIN} {_OTHER}".split()
PLACES = ["Lisbon", "Porto", "Oslo", "Bergen"]


class Pair:
    """The same memory in both databases."""

    def __init__(self, memory: Memories, server: Server, home: Path) -> None:
        self.here = memory("ada")
        self.there = Memories(home, server)("ada")

    def write(self, drafts: Sequence[object]) -> None:
        for one in (self.here, self.there):
            one.write_many(drafts)

    def scores(self, words: Sequence[str]) -> list[dict[int, float]]:
        found = []
        for one in (self.here, self.there):
            with one._store.database.reading():
                best = one._store.words.index.best(words, 100_000, one._store.notes.among(Filter("ada")))
                found.append({num: score for num, _, score in best})
        return found

    def agree(self, words: Sequence[str]) -> dict[int, float]:
        here, there = self.scores(words)
        assert here.keys() == there.keys(), words
        for num, score in here.items():
            assert math.isclose(score, there[num], rel_tol=1e-9), (words, num, score, there[num])
        return here


@pytest.fixture
def pair(memory: Memories, server: Server, tmp_path: Path) -> Iterator[Pair]:
    made = Pair(memory, server, tmp_path)
    yield made
    made.there.close()


def spoken(choose: random.Random, size: int) -> str:
    return " ".join(choose.choices(WORDS, k=size))


def test_scores_of_words_are_those_of_sqlite(pair: Pair) -> None:
    choose = random.Random(7)
    pair.write(
        [
            {
                "text": spoken(choose, choose.randint(1, 30)),
                "speaker": choose.choice(["Ada", "Mia", "", "日本"]),
                "happened": choose.choice(["", "2024", "2024-03", "2024-03-09"]),
                "thread": choose.choice(["", "a", "b"]),
            }
            for _ in range(150)
        ]
    )
    found = 0
    for word in WORDS:
        found += len(pair.agree([word.replace('"', "")]))
    for _ in range(100):
        found += len(pair.agree(choose.choices(WORDS, k=choose.randint(1, 8))))
    assert found > 2_000
    assert pair.agree(["foo_bar"]).keys() < pair.agree(["bar"]).keys()  # neighbours, not just both
    assert pair.agree(["🎉"]) == {} == pair.agree(["___"])
    assert pair.agree(["march"])


def test_counts_follow_what_is_revised_and_forgotten(pair: Pair) -> None:
    choose = random.Random(3)
    pair.write([{"text": spoken(choose, 9), "thread": "a"} for _ in range(30)])
    for place in (2, 11, 12):
        for one in (pair.here, pair.there):
            notes = sorted(one.notes(), key=lambda note: note.num)
            one.revise(notes[place].id, "Ada runs by the river")
            one.forget(notes[place + 3].id)
    for word in WORDS:
        pair.agree([word])
    assert disagreements(pair.there._store) == []


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    st.lists(st.text(min_size=1, max_size=20).filter(lambda t: t.strip() and "\x00" not in t), min_size=1, max_size=4)
)
def test_scores_of_any_text_are_those_of_sqlite(pair: Pair, texts: list[str]) -> None:
    pair.write(texts)
    for text in texts:
        words = [word for word in text.replace('"', " ").split() if word]
        if words:
            pair.agree(words)


def test_a_very_long_word_is_a_word(pair: Pair) -> None:
    long = "日本語" * 30_000
    pair.write([long, "Ada " * 5_000, "Ada"])
    assert len(pair.agree(["Ada"])) == 2
    assert len(pair.agree([long[:4_000]])) <= 1


def test_an_index_that_does_not_fit_is_told(pair: Pair) -> None:
    store = pair.there._store
    pair.there.write("Ada lives by the river")
    with store.database.writing() as connection:
        connection.exec_driver_sql("UPDATE words_posting SET frequency = frequency + 1")
    assert disagreements(store) == ["words does not fit [1]"]
    with store.database.writing() as connection:
        connection.exec_driver_sql("DELETE FROM words_document")
    assert disagreements(store) == ["words hold {1}", "words does not fit [0, 1]"]
    pair.there.rebuild(forms=["words"])
    assert disagreements(store) == []


def test_reads_are_the_same(pair: Pair) -> None:
    choose = random.Random(11)
    names = ["Ada", "Mia", "Ben", "Lena Hartmann"]
    drafts: list[object] = [
        {
            "text": f"{choose.choice(names)} {choose.choice(['lives in', 'likes', 'works at'])} "
            f"{choose.choice(PLACES)} {spoken(choose, 4)}",
            "speaker": choose.choice(names),
            "thread": choose.choice(["", "a", "b", "c"]),
            "happened": f"202{choose.randint(0, 4)}-0{choose.randint(1, 9)}-11",
            "facts": [(choose.choice(names), "knows", choose.choice(names))] if choose.random() < 0.3 else [],
        }
        for _ in range(250)
    ]
    pair.write(drafts)
    numbers = [{note.id: note.num for note in one.notes(limit=1_000)} for one in (pair.here, pair.there)]
    for _ in range(60):
        question = f"Where does {choose.choice(names)} {choose.choice(['live', 'work'])}? {spoken(choose, 2)}"
        cue = Cue(question, HashEmbedder().embed([question])[0])
        for form in ("words", "vectors", "triplets"):
            ranked = []
            for one in (pair.here, pair.there):
                kept = next(kept for kept in one._store.forms if kept.name == form)
                ranked.append(kept.search(cue, 20, one._store.notes.among(Filter("ada"))))
            assert [hit.score for hit in ranked[0]] == pytest.approx([hit.score for hit in ranked[1]], abs=1e-6)
            if form != "vectors":
                assert [(hit.num, hit.path) for hit in ranked[0]] == [(hit.num, hit.path) for hit in ranked[1]]
        here, there = (
            [(number[r.note.id], r.score, r.why.path) for r in one.read(question, k=10)]
            for one, number in zip((pair.here, pair.there), numbers, strict=True)
        )
        assert [score for _, score, _ in here] == pytest.approx([score for _, score, _ in there], abs=1e-6)
        assert {num for num, *_ in here[:-1]} <= {num for num, *_ in there} | _level(here) | _level(there)
    assert [
        (fact.subject, fact.relation, fact.object, fact.superseded) for fact in pair.here.facts(superseded=True)
    ] == [(fact.subject, fact.relation, fact.object, fact.superseded) for fact in pair.there.facts(superseded=True)]


def _level(found: Sequence[tuple[int, float, object]]) -> set[int]:
    """The notes whose score another one has too: which of them comes first may hang on the last bit of a sum."""
    return {num for num, score, _ in found if any(num != n and abs(score - s) < 1e-6 for n, s, _ in found)}


def test_a_move_there_and_back_is_the_same_memory(memory: Memories, server: Server, tmp_path: Path) -> None:
    first = memory("ada", "first")
    choose = random.Random(5)
    for turn in range(40):
        first.write(spoken(choose, 8), thread="a", key=f"k{turn}", metadata={"turn": turn}, facts=[("Ada", "saw", "x")])
    notes = first.notes(limit=1_000)
    first.revise(notes[3].id, "Ada moved to Porto")
    first.undo(first.revise(notes[5].id, "No").num)
    first.forget(notes[7].id)
    told = list(first.export())
    there = Memories(tmp_path, server)
    with there("ada") as moved:
        moved.import_(told)
        assert list(moved.export()) == told
        assert disagreements(moved._store) == []
        back = memory("ada", "back")
        back.import_(moved.export())
    assert list(back.export()) == told
    there.close()


def test_tokens_are_those_of_full_text() -> None:
    tokenizer = Tokenizer(2)
    assert tokenizer.places([(5, "Running foo_bar", "dogs RUN"), (6, "", "🎉")]) == {
        5: {b"bar": [2], b"dog": [1 << 24], b"foo": [1], b"run": [0, (1 << 24) + 1]},
        6: {},
    }
    assert tokenizer.phrase("Foo_BAR") == [b"foo", b"bar"]
    assert tokenizer.phrase("___") == []
