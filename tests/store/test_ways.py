from tercet.store.ways import ways_of


def test_a_fact_is_walked_both_ways_and_each_end_comes_once_the_newest_first() -> None:
    ways = ways_of([(0, "child", 1), (0, "child", 2), (0, "child", 2), (1, "spouse", 0)], 4)
    assert {way: ends.tolist() for way, ends in ways.onward([0]).items()} == {
        ("child", False): [2, 1],
        ("spouse", True): [1],
    }
    assert {way: ends.tolist() for way, ends in ways.onward([1, 2]).items()} == {
        ("child", True): [0],
        ("spouse", False): [0],
    }


def test_names_without_facts_lead_nowhere() -> None:
    assert ways_of([(0, "child", 1)], 3).onward([2]) == {}
    assert ways_of([], 3).onward([0, 1, 2]) == {}
    assert ways_of([], 0).onward([]) == {}
