from tercet.sdk.wording import wordings


def told(question: str, *names: str) -> list[tuple[str, int, int]]:
    (wording,) = wordings(question, set(names))
    return [(phrase.text, phrase.start, phrase.end) for phrase in wording.phrases]


def test_what_stands_behind_the_name_is_walked_first_then_what_stands_before_backwards() -> None:
    found = told("What is the job of the wife of Ada's father's aunt?", "ada")
    single = {text: start for text, start, _ in found if " " not in text}
    assert sorted(single, key=single.__getitem__) == ["father", "aunt", "wife", "job"]


def test_a_phrase_begins_and_ends_with_telling_words_and_crosses_no_possessive() -> None:
    texts = {text for text, _, _ in told("What is Ada's other half's place of birth?", "ada")}
    assert {"other half", "place of birth", "place", "birth"} <= texts
    assert not any("half place" in text or text.startswith("of") for text in texts)
    assert "work for" in {text for text, _, _ in told("Where does Ada's son work for?", "ada")}


def test_the_longest_name_counts() -> None:
    (wording,) = wordings("who is the father of ada of the byron house?", {"ada", "ada of the byron house"})
    assert wording.name == "ada of the byron house"


def test_each_name_is_a_start_but_common_words_are_none_where_names_are_written_large() -> None:
    assert [found.name for found in wordings("Did Ada teach Ben?", {"ada", "ben"})] == ["ada", "ben"]
    assert [found.name for found in wordings("In which country does Ada live?", {"ada", "country"})] == ["ada"]
    assert [found.name for found in wordings("in which country does ada live?", {"ada", "country"})] == [
        "country",
        "ada",
    ]


def test_telling_words_that_are_passed_over_are_counted() -> None:
    (wording,) = wordings("What is the name of the old friend of Ada?", {"ada"})
    assert wording.skipped(0) == 2
    assert wording.skipped(0, 2) == 1


def test_where_and_when_go_with_the_phrase_that_all_else_is_said_with() -> None:
    (wording,) = wordings("Where did Ada's father die?", {"ada"})
    assert {phrase.text: phrase.asked for phrase in wording.phrases} == {
        "father": "",
        "father die": "where father die",
        "die": "where die",
    }


def test_a_question_that_says_nothing_beside_its_name_has_no_wording() -> None:
    assert wordings("Who is Ada?", {"ada"}) == []
    assert wordings("", {"ada"}) == []
