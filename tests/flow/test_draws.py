"""A draw that everybody makes alike."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from liuti.flow.draws import digest_of, drawn

IDS = [f"issue-{n}" for n in range(100)]


def test_the_same_seed_draws_the_same_whatever_the_order_and_another_seed_others() -> None:
    first = drawn("2026-03", IDS, 0.1)
    assert len(first) == 10
    assert drawn("2026-03", IDS[::-1], 0.1) == first
    assert drawn("2026-04", IDS, 0.1) != first
    assert first == sorted(first)


def test_the_share_is_rounded_up_but_not_by_how_a_machine_counts() -> None:
    assert [len(drawn("s", IDS[:n], 0.1)) for n in (1, 10, 11, 30, 0)] == [1, 1, 2, 3, 0]
    assert drawn("s", IDS, 1) == sorted(IDS)


def test_every_id_is_as_likely_as_another() -> None:
    times = {one: sum(one in drawn(f"seed {n}", IDS, 0.2) for n in range(300)) for one in IDS}
    # 60 expected, 6.9 the deviation: beyond 5 of them only by a fault.
    assert all(25 < n < 95 for n in times.values())


@given(st.sets(st.text(min_size=1, max_size=5), max_size=30), st.floats(0.01, 1))
def test_what_is_drawn_is_of_the_population_and_drawn_once(ids: set[str], share: float) -> None:
    found = drawn("s", ids, share)
    assert set(found) <= ids
    assert len(set(found)) == len(found)


def test_the_digest_is_of_the_ids_and_not_of_their_order() -> None:
    assert digest_of(IDS) == digest_of(IDS[::-1]) != digest_of(IDS[1:])
