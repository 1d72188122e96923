"""A tier keeps what is used often, lately, and never more than its budget."""

from hypothesis import given
from hypothesis import strategies as st

from tercet.store.tier import Tier

STEPS = st.lists(
    st.tuples(st.sampled_from(["get", "put", "use", "drop"]), st.integers(0, 9), st.integers(0, 60)), max_size=200
)


@given(STEPS, st.integers(0, 100), st.sampled_from([None, 1, 10]))
def test_the_budget_is_never_exceeded_and_every_byte_is_accounted_for(
    steps: list[tuple[str, int, int]], budget: int, half_life: int | None
) -> None:
    went: list[int] = []
    tier: Tier[int, tuple[int, int]] = Tier(budget, half_life=half_life, on_drop=lambda key, _: went.append(key))
    model: dict[int, tuple[int, int]] = {}
    for number, (what, key, size) in enumerate(steps):
        went.clear()
        if what == "get":
            assert tier.get(key) == model.get(key)
        elif what == "drop":
            tier.drop([key])
            model.pop(key, None)
        else:
            if what == "use":
                tier.get(key)
            kept = tier.put(key, (number, size), size)
            assert kept or not went  # what is refused pushes nothing out
            for gone in went:
                del model[gone]
            if kept:  # what is refused leaves what was there
                model[key] = number, size
        assert tier.nbytes == sum(size for _, size in model.values()) <= budget
        assert len(tier) == len(model)
        assert all(key in tier for key in model)


def test_what_is_used_often_stays_while_others_pass_by_once() -> None:
    tier: Tier[str, str] = Tier(300)
    for _ in range(3):
        for key in ("a", "b"):
            if tier.get(key) is None:
                tier.put(key, key, 100)
    for number in range(100):
        key = f"once {number}"
        assert tier.get(key) is None
        tier.put(key, key, 100)
    assert tier.get("a") == "a"
    assert tier.get("b") == "b"


def test_what_was_used_often_long_ago_goes_in_the_end() -> None:
    tier: Tier[str, str] = Tier(100, half_life=10)
    for _ in range(20):
        tier.get("old")
    assert tier.put("old", "old", 100)
    tries = 0
    while "new" not in tier:
        tries += 1
        tier.get("new")
        tier.put("new", "new", 100)
    assert 2 < tries < 40
    assert "old" not in tier


def test_the_second_use_wins_a_place_that_the_first_did_not() -> None:
    tier: Tier[str, str] = Tier(100)
    tier.get("first")
    tier.put("first", "first", 100)
    for key in ("first", "second"):
        tier.get(key)
    assert not tier.put("second", "second", 100)
    for _ in range(2):
        tier.get("second")
    assert tier.put("second", "second", 100)


def test_small_ones_are_worth_more_for_their_size_and_too_large_ones_never_come_in() -> None:
    tier: Tier[str, str] = Tier(100)
    tier.get("large")
    tier.put("large", "large", 90)
    tier.get("small")
    assert tier.put("small", "small", 20)
    assert "large" not in tier
    assert not tier.put("giant", "giant", 101)
    assert "small" in tier


def test_uses_of_what_is_not_kept_are_not_remembered_without_end() -> None:
    tier: Tier[int, int] = Tier(10)
    for key in range(20_000):
        tier.get(key)
    assert len(tier._worth) < 5_000


def test_a_dropped_one_and_its_uses_are_gone() -> None:
    tier: Tier[str, str] = Tier(100)
    for _ in range(5):
        tier.get("secret")
    tier.put("secret", "secret", 10)
    tier.drop(["secret", "unknown"])
    assert tier.get("secret") is None
    assert tier.nbytes == 0


def test_what_is_refused_leaves_the_value_before_where_it_was() -> None:
    dropped: list[str] = []
    tier: Tier[str, str] = Tier(100, on_drop=lambda key, value: dropped.append(value))
    tier.get("a")
    tier.put("a", "old", 40)
    for _ in range(5):
        tier.get("b")
    tier.put("b", "b", 60)
    assert not tier.put("a", "new", 90)
    assert tier.get("a") == "old"
    assert tier.nbytes == 100
    assert dropped == []
