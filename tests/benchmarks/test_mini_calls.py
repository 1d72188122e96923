"""Rows that teach calls: they are what the engine will run, and the course without them is as it was."""

from random import Random

import numpy as np
import pytest
from benchmarks.mini.batches import Batches, Course
from benchmarks.mini.calling import CALLED, called_document
from benchmarks.mini.documents import Writer
from benchmarks.worlds import make_world
from tokenizers import Tokenizer

from tercet.engines.calls.grammar import find_calls, parse_call
from tercet.engines.mini import MINI


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer.from_file(str(MINI / "tokenizer.json"))


def test_calls_parse_and_are_learnt_and_their_results_are_not(tokenizer: Tokenizer) -> None:
    writer = Writer(tokenizer)
    verbs: set[str] = set()
    for number in range(40):
        world = make_world(f"calls {number}", "train", notes=8, questions=4)
        document = called_document(writer, Random(number), world)
        text = tokenizer.decode(document.tokens, skip_special_tokens=False)
        calls = [parse_call(call) for call in find_calls(text)]
        verbs |= {call.verb for call in calls}
        assert len(calls) == sum(answer.kind == CALLED for answer in document.answers)
        learnt = {place for answer in document.answers for place in range(answer.start, answer.stop)}
        assert all((weight == 1.0) == (place in learnt) for place, weight in enumerate(document.weights))
        for answer in document.answers:
            said = tokenizer.decode(document.tokens[answer.start : answer.stop], skip_special_tokens=False)
            assert ("->" in said) is False
            if answer.kind == CALLED:
                parse_call(said)
                behind = tokenizer.decode(document.tokens[answer.stop : answer.stop + 60], skip_special_tokens=False)
                assert behind.lstrip().startswith("-> [")
        assert not any(document.memories)
    assert verbs == {"read", "write"}


def test_the_course_without_calls_is_as_it_was(tokenizer: Tokenizer) -> None:
    plain, calling = (Batches(Course(40, rows=2, calls=share), tokenizer, []) for share in (0.0, 0.9))
    for number in (1, 9, 12):  # before worlds are half-grown
        assert np.array_equal(plain[number].tokens, calling[number].tokens)
    later = [batches[number] for batches in (plain, calling) for number in (30, 39)]
    kinds = [{answer.kind for _, answer in batch.answers} for batch in later]
    assert [CALLED in found for found in kinds] == [False, False, True, True]
