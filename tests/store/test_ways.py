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


def test_what_a_hub_says_once_is_not_lost_behind_what_it_says_often() -> None:
    fans = [(place, "fan of", 0) for place in range(2, 100_002)]
    ways = ways_of([(0, "country", 1), *fans], 100_002)
    onward = ways.onward([0])
    assert onward["country", False].tolist() == [1]
    assert onward["fan of", True].tolist() == list(range(100_001, 99_002, -1))
    assert ways.along([0], ("fan of", True), 3) == [(0, 100_001), (0, 100_000), (0, 99_999)]
    assert len(ways.onward([0, *range(2, 65)])["fan of", True]) == 49


def test_of_many_names_each_gets_its_share() -> None:
    ways = ways_of([(node, "likes", target) for target in range(64, 264) for node in range(64)], 264)
    assert len(ways.onward(range(64))["likes", False]) == 50
    assert len(ways.onward([7])["likes", False]) == 200
