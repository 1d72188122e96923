from __future__ import annotations

import pytest

from tercet.engines.english.tagging import tag
from tercet.engines.english.tokens import sentences


def tagged(text: str) -> str:
    (sentence,) = sentences(text)
    return " ".join(f"{token.text.replace(' ', '_')}/{token.tag}" for token in tag(sentence, text))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("I moved to Lisbon in March 2024.", "I/O moved/V to/P Lisbon/R in/P March_2024/@"),
        ("Ada's sister's a nurse.", "Ada/R 's/' sister/N 's/X a/D nurse/N"),
        ("Ada's moved to Rome.", "Ada/R 's/X moved/V to/P Rome/R"),
        ("My parents' house", "My/G parents/N '/' house/N"),
        ("I want to work.", "I/O want/V to/T work/V"),
        ("I went to work.", "I/O went/V to/P work/N"),
        ("I'd moved, I'd move.", "I/O 'd/X moved/V ,/, I/O 'd/M move/V"),
        ("We saw her, her dog.", "We/O saw/V her/O ,/, her/G dog/N"),
        ("We love hiking and swimming.", "We/O love/V hiking/N and/C swimming/N"),
        ("The dog walks.", "The/D dog/N walks/V"),
        ("Our walks help the dog.", "Our/G walks/N help/V the/D dog/N"),
        ("I met him two years ago.", "I/O met/V him/O two_years_ago/@"),
        ("It has 2022 metres.", "It/O has/X 2022/# metres/N"),
        ("Tom (born 1990) sings.", "Tom/R (/( sings/V"),
        ("I despise it :(", "I/O despise/V it/O :/, (/("),
    ],
)
def test_word_classes_in_context(text: str, expected: str) -> None:
    assert tagged(text) == expected


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("Dr. Jagan met J. R. R. Tolkien in U.S. camps. He left.", ["Dr", "He"]),
        ("One line\nTwo lines\nwrapped", ["One", "Two"]),
        ("Wait... what? No!", ["Wait", "No"]),
        ("渋谷に行った。楽しい。", ["渋谷に行った", "楽しい"]),
        ("... !!! ((( 😊", []),
    ],
)
def test_where_sentences_begin(text: str, parts: list[str]) -> None:
    assert [sentence.words[0].text for sentence in sentences(text)] == parts


def test_words_stand_where_they_say() -> None:
    text = "Don't mail ada@example.org, see https://a.org/b?c=1, it’s Ada’s İ co-op at 5:30; AT&T!"
    for sentence in sentences(text):
        for word in sentence.words:
            assert text[word.start : word.end] == word.text
    words = [word.text for sentence in sentences(text) for word in sentence.words]
    assert words[:7] == ["Do", "n't", "mail", "ada@example.org", ",", "see", "https://a.org/b?c=1"]
