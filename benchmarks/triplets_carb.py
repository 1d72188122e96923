"""How good are rule-made triplets? Measured on CaRB's sentences and on Re-DocRED's entity pairs.

    python benchmarks/triplets_carb.py [--data FOLDER] [--json FILE]

Data: ``carb/`` and ``re_docred/`` in the folder given, else in ``$TERCET_DATA``, else in ``../shared/data`` beside the
repository.

**CaRB** (Bhardwaj, Aggarwal and Mausam, EMNLP 2019; dev, 641 sentences, 2,548 tuples), scored after the paper's
idea, at one operating point (no curve over confidence). Texts are lower-cased and cut into runs of letters and
digits. A gold tuple has three slots: relation, first argument, and all further arguments together. Two tuples share,
slot by slot, the multiset intersection of their words; if the relation slots share no word, they share nothing.
With S the words shared:

- recall of a gold tuple = max over the sentence's extractions of S / words of the gold tuple; the mean over all
  gold tuples is R (one extraction may serve several);
- precision: within a sentence, pairs (extraction, gold) are taken greedily by S / words of the extraction, each
  extraction and each gold tuple at most once; an extraction left over scores 0; the mean over all extractions is P;
- F1 = 2PR / (P + R).

The score rewards long arguments, which is not what a graph of names wants, and many sentences are about "he", "it" or
"they", of which our rules say nothing on purpose: "no pronouns" leaves out sentences with such a word in a first
argument.

**Re-DocRED** (dev, first 100 documents, sentence by sentence): a side names an entity if it contains one of its
mentions as whole words, after folding. A predicted pair is two different entities named by the two sides of one
triplet (of several, the longest mention each); a gold pair is any related pair, in either order, that some sentence
mentions together. P = predicted pairs that are gold, R = gold pairs that are predicted, micro-averaged per document.

The rules were written while looking at about a hundred of CaRB's sentences; Re-DocRED was not looked at.

Peers in the same run: "first phrase, verb, last phrase" (chunks, nothing else), and "split at the first verb".
"""

from __future__ import annotations

import csv
import json
import os
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path

import click
from rich.console import Console
from rich.progress import track
from rich.table import Table

ROOT = Path(__file__).resolve().parents[1]
if not __package__:  # run as a file, which puts this folder on the path and not the one above
    sys.path.insert(0, str(ROOT))

from benchmarks.machine import machine  # noqa: E402

from tercet.engines.english.chunks import chunked  # noqa: E402
from tercet.engines.english.tagging import tag  # noqa: E402
from tercet.engines.english.tokens import sentences  # noqa: E402
from tercet.engines.entities import names  # noqa: E402
from tercet.engines.rules import RuleExtractor  # noqa: E402
from tercet.store.names import fold  # noqa: E402
from tercet.store.note import Note  # noqa: E402

SCREEN = Console()
DOCUMENTS = 100
PRONOUNS = Counter("i we you he she it they this that these those there who which".split())

Tuple3 = tuple[str, str, str]
Finder = Callable[[str], list[Tuple3]]


@dataclass(frozen=True, slots=True)
class Score:
    """One row of the table; shares between 0 and 1.

    Attributes:
        data: the data set.
        system: what found the triplets.
        precision: see the module.
        recall: likewise.
        f1: their harmonic mean.
        found: number of triplets or pairs predicted.
        gold: number of tuples or pairs to find.
    """

    data: str
    system: str
    precision: float
    recall: float
    f1: float
    found: int
    gold: int


def rules(sentence: str) -> list[Tuple3]:
    """Returns what the rule extractor finds in one sentence without a speaker."""
    note = Note(
        num=1, id="0" * 16, text=sentence, scope="bench", speaker="", source="", thread="", position=0, happened="",
        known="", origin="import", metadata={}, facts=(), key=None, retired=None, replaces=None,
    )  # fmt: skip
    return [(t.subject, t.relation, t.object) for t in RuleExtractor().triplets(note)]


def outer_phrases(sentence: str) -> list[Tuple3]:
    """Returns (first noun phrase, first verb phrase after it, last noun phrase), if there are three."""
    chunks = [chunk for part in sentences(sentence) for chunk in chunked(tag(part, sentence))]
    surface = [(chunk.kind, sentence[chunk.first.start : chunk.tokens[-1].end]) for chunk in chunks]
    first = next((at for at, (kind, _) in enumerate(surface) if kind == "NP"), None)
    if first is None:
        return []
    verb = next((at for at in range(first, len(surface)) if surface[at][0] == "VP"), len(surface))
    objects = [words for kind, words in surface[verb:] if kind == "NP"]
    return [(surface[first][1], surface[verb][1], objects[-1])] if objects else []


def split_at_verb(sentence: str) -> list[Tuple3]:
    """Returns (all before the first verb phrase, the verb phrase, all after it)."""
    for part in sentences(sentence):
        for chunk in chunked(tag(part, sentence)):
            start, end = chunk.first.start, chunk.tokens[-1].end
            if chunk.kind == "VP" and start and sentence[end:].strip(" ."):
                return [(sentence[:start].strip(), sentence[start:end], sentence[end:].strip())]
    return []


def bag(text: str) -> Counter[str]:
    """Returns the words of a text with their numbers, lower-cased, punctuation dropped."""
    return Counter(re.findall(r"[^\W_]+", text.lower()))


def carb(folder: Path, system: str, finder: Finder, *, named: bool) -> Score:
    """Scores a finder on CaRB's sentences, or on those where no first argument is a pronoun."""
    gold: dict[str, list[list[Counter[str]]]] = {}
    with (folder / "gold_dev.tsv").open(encoding="utf-8", newline="") as file:
        for sentence, relation, first, *rest in csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
            gold.setdefault(sentence, []).append([bag(first), bag(relation), bag(" ".join(rest))])
    if named:
        gold = {text: tuples for text, tuples in gold.items() if not any(first & PRONOUNS for first, _, _ in tuples)}
    precisions: list[float] = []
    recalls: list[float] = []
    for sentence, tuples in track(
        gold.items(), description=f"CaRB, {system}", transient=True, disable=not SCREEN.is_terminal
    ):
        found = [[bag(side) for side in triplet] for triplet in finder(sentence)]
        shared = [[overlap(mine, theirs) for theirs in tuples] for mine in found]
        recalls += [
            max((row[at] for row in shared), default=0) / sum(words.total() for words in theirs)
            for at, theirs in enumerate(tuples)
        ]
        precisions += assigned(
            [[common / sum(w.total() for w in mine) for common in row] for mine, row in zip(found, shared, strict=True)]
        )
    precision, recall = mean(precisions), mean(recalls)
    return Score(
        "CaRB dev, no pronouns" if named else "CaRB dev",
        system,
        precision,
        recall,
        f1(precision, recall),
        len(precisions),
        len(recalls),
    )


def overlap(mine: Sequence[Counter[str]], theirs: Sequence[Counter[str]]) -> int:
    """Returns how many words two tuples share slot by slot; none if their relations share none."""
    common = [(a & b).total() for a, b in zip(mine, theirs, strict=True)]
    return sum(common) if common[1] else 0


def assigned(scores: Sequence[Sequence[float]]) -> list[float]:
    """Returns one score per row: rows and columns paired greedily from the best, each used once."""
    best = [0.0] * len(scores)
    cells = sorted(
        ((score, row, column) for row, line in enumerate(scores) for column, score in enumerate(line)),
        key=lambda cell: (-cell[0], cell[1], cell[2]),
    )
    rows: set[int] = set()
    columns: set[int] = set()
    for score, row, column in cells:
        if row not in rows and column not in columns:
            best[row] = score
            rows.add(row)
            columns.add(column)
    return best


def pairs_of_sides(finder: Finder) -> Callable[[str], list[tuple[str, str]]]:
    """Turns a finder of triplets into a finder of (subject, object)."""
    return lambda sentence: [(first, last) for first, _, last in finder(sentence)]


def pairs_of_names(sentence: str) -> list[tuple[str, str]]:
    """Returns every two capitalised spans of a sentence: what co-occurrence alone knows."""
    return list(combinations(names(sentence), 2))


def re_docred(file: Path, system: str, finder: Callable[[str], list[tuple[str, str]]]) -> Score:
    """Scores a finder of pairs on the entity pairs of Re-DocRED."""
    hits = predicted = wanted = 0
    documents = json.loads(file.read_text(encoding="utf-8"))[:DOCUMENTS]
    for document in track(
        documents, description=f"Re-DocRED, {system}", transient=True, disable=not SCREEN.is_terminal
    ):
        mentions = [{f" {fold(mention['name'])} " for mention in entity} for entity in document["vertexSet"]]
        places = [{mention["sent_id"] for mention in entity} for entity in document["vertexSet"]]
        gold = {
            frozenset((label["h"], label["t"]))
            for label in document["labels"]
            if label["h"] != label["t"] and places[label["h"]] & places[label["t"]]
        }
        mine: set[frozenset[int]] = set()
        for words in document["sents"]:
            for sides in finder(" ".join(words)):
                named = {entity for side in sides if (entity := entity_in(side, mentions)) is not None}
                if len(named) == 2:
                    mine.add(frozenset(named))
        hits, predicted, wanted = hits + len(mine & gold), predicted + len(mine), wanted + len(gold)
    precision, recall = hits / max(1, predicted), hits / max(1, wanted)
    return Score("Re-DocRED pairs", system, precision, recall, f1(precision, recall), predicted, wanted)


def entity_in(side: str, mentions: Sequence[set[str]]) -> int | None:
    """Returns which entity a side names: the one with the longest mention in it."""
    folded = f" {fold(side)} "
    found = [(len(name), -at) for at, ours in enumerate(mentions) for name in ours if name.strip() and name in folded]
    return -max(found)[1] if found else None


def mean(values: Sequence[float]) -> float:
    """Returns the mean, 0.0 of nothing."""
    return sum(values) / len(values) if values else 0.0


def f1(precision: float, recall: float) -> float:
    """Returns the harmonic mean, 0.0 if both are 0."""
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def speed(folder: Path) -> tuple[float, float]:
    """Returns CaRB sentences read per second of processor time (best of three), and their mean number of words."""
    with (folder / "gold_dev.tsv").open(encoding="utf-8", newline="") as file:
        lines = sorted({row[0] for row in csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE)})
    best = float("inf")
    for _ in range(3):
        start = time.process_time()
        for line in lines:
            rules(line)
            names(line)
        best = min(best, time.process_time() - start)
    return len(lines) / best, mean([len(line.split()) for line in lines])


@click.command()
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    default=lambda: Path(os.environ.get("TERCET_DATA") or ROOT.parent / "shared" / "data"),
    help="Folder that holds carb/ and re_docred/.",
)
@click.option(
    "--json",
    "target",
    type=click.Path(dir_okay=False, path_type=Path),
    default=ROOT / "benchmarks" / "results" / "triplets_carb.json",
    help="Where the figures go.",
)
def main(data: Path, target: Path) -> None:
    """Measures the rule extractor on CaRB and Re-DocRED, prints a table and writes JSON."""
    needed = [data / "carb" / "gold_dev.tsv", data / "re_docred" / "dev_revised.json"]
    missing = [path.relative_to(data).as_posix() for path in needed if not path.is_file()]
    if missing:
        click.echo(f"skipped: no {' and no '.join(missing)} in {data}; give the folder with --data or TERCET_DATA")
        return
    systems: dict[str, Finder] = {
        "rules": rules,
        "first phrase, verb, last phrase": outer_phrases,
        "split at the first verb": split_at_verb,
    }
    scores = [
        carb(needed[0].parent, system, finder, named=named)
        for named in (False, True)
        for system, finder in systems.items()
    ]
    pairs = {system: pairs_of_sides(finder) for system, finder in list(systems.items())[:2]}
    pairs["every two capitalised spans"] = pairs_of_names
    scores += [re_docred(needed[1], system, finder) for system, finder in pairs.items()]
    per_second, words = speed(needed[0].parent)
    table = Table("data", "system", "P", "R", "F1", "found", "gold", title="Triplets without a model")
    for s in scores:
        table.add_row(
            s.data, s.system, f"{s.precision:.3f}", f"{s.recall:.3f}", f"{s.f1:.3f}", str(s.found), str(s.gold)
        )
    SCREEN.print(table)
    SCREEN.print(f"triplets and names of {per_second:,.0f} sentences of {words:.1f} words a second of processor time")
    result = {
        "scores": [asdict(score) for score in scores],
        "sentences_per_second": round(per_second),
        "words_per_sentence": round(words, 1),
        "machine": machine(),
    }
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
