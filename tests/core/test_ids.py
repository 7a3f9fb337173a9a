"""Ids sort by time, in one process strictly so, and are never given twice."""

import time
from concurrent.futures import ThreadPoolExecutor
from uuid import RFC_4122, UUID

from assay.core.ids import new_id


def made_at(made: UUID) -> float:
    """Seconds since 1970, to the millisecond, as RFC 9562 has them in the first 48 bits."""
    return (made.int >> 80) / 1000


def test_an_id_is_a_uuid_of_version_7() -> None:
    made = new_id()
    assert type(made) is UUID
    assert (made.version, made.variant) == (7, RFC_4122)


def test_later_ids_sort_after_earlier_ones() -> None:
    ids = [new_id() for _ in range(20_000)]
    assert ids == sorted(ids)
    assert sorted(map(str, ids)) == [str(made) for made in ids]


def test_ids_stay_true_to_the_clock_however_many_are_made() -> None:
    """Or those of another process, made later, would sort before them."""
    before = time.time()
    ids = [new_id() for _ in range(20_000)]
    after = time.time()
    assert before - 0.001 <= made_at(ids[0]) <= made_at(ids[-1]) <= after


def test_threads_never_get_the_same_id_and_each_sees_them_in_order() -> None:
    with ThreadPoolExecutor(8) as threads:
        lists = list(threads.map(lambda _: [new_id() for _ in range(3000)], range(8)))
    assert all(ids == sorted(ids) for ids in lists)
    assert len({made for ids in lists for made in ids}) == 8 * 3000
