"""How passwords are kept, and that time does not tell who is a user."""

import statistics
import time
from collections import defaultdict

from tests.identity.people import Installation
from tests.identity.signing_in import LOGIN

from assay.identity.actor import Role
from assay.identity.passwords import hash_password, verify_password

ROUNDS = 6
PASSWORD = "correct horse battery"


async def test_a_password_is_hashed_by_argon2id_with_a_salt_of_its_own() -> None:
    first, second = await hash_password(PASSWORD), await hash_password(PASSWORD)
    assert first != second
    assert first.startswith("$argon2id$v=19$m=65536,t=3,")
    assert PASSWORD not in first
    assert await verify_password(PASSWORD, first) == (True, None)
    assert await verify_password(PASSWORD, second) == (True, None)


async def test_another_password_is_not_the_one() -> None:
    stored = await hash_password(PASSWORD)
    for wrong in ("", "correct horse batterY", PASSWORD + " "):
        assert await verify_password(wrong, stored) == (False, None)


async def test_nothing_is_the_password_where_nothing_is_stored() -> None:
    assert await verify_password("", None) == (False, None)


async def test_a_refusal_takes_equally_long_whether_the_user_is_known_or_not(
    installation: Installation,
) -> None:
    """By the medians of interleaved attempts, and by how much these differ among themselves."""
    known = [await installation.row(Role.viewer) for _ in range(ROUNDS)]
    off = [await installation.row(Role.viewer, is_active=False) for _ in range(ROUNDS)]
    seconds: dict[str, list[float]] = defaultdict(list)
    for number in range(ROUNDS):
        client = await installation.client(address=f"192.0.2.{200 + number}")
        for kind, body in {
            "known": {"email": known[number].email, "password": "wrong"},
            "unknown": {"email": f"unknown{number}@example.com", "password": "wrong"},
            "switched off": {"email": off[number].email, "password": PASSWORD},
            "not hashed": {"email": "no address", "password": "wrong"},
        }.items():
            start = time.perf_counter()
            response = await client.post(LOGIN, json=body)
            seconds[kind].append(time.perf_counter() - start)
            assert response.status_code == (422 if kind == "not hashed" else 401)
    not_hashed = statistics.median(seconds.pop("not hashed"))
    middles = {kind: statistics.median(times) for kind, times in seconds.items()}
    noise = max(_spread(times) for times in seconds.values())
    assert min(middles.values()) > 5 * not_hashed, middles
    apart = max(middles.values()) - min(middles.values())
    # On a quiet machine there is next to no noise, so a part of the time itself is allowed.
    assert apart < max(noise, 0.25 * min(middles.values())), (middles, noise)


def _spread(times: list[float]) -> float:
    quarters = statistics.quantiles(times, n=4)
    return quarters[2] - quarters[0]
