"""Access tokens and keys that are not good are refused, in whatever way they are wrong."""

import base64
import hmac
import json
import time
from collections.abc import Callable
from typing import Any

import httpx2
import jwt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.identity.people import Installation, Person
from tests.identity.signing_in import ME, problem

from assay.core.errors import Unauthorized
from assay.core.ids import new_id
from assay.core.secrets import SecretKey
from assay.identity.actor import Role
from assay.identity.tokens import AccessTokens, key_lookup, new_key

OTHER = SecretKey("another secret of 32 characters..")
Claims = dict[str, Any]


class Forger:
    """Makes tokens of any claims; only what a test changes is wrong with them."""

    def __init__(self, installation: Installation, person: Person) -> None:
        self.key: bytes = installation.app.state.authenticator.access_tokens._key
        token = person.client.headers["Authorization"].partition(" ")[2]
        self.good: str = token
        self.claims: Claims = jwt.decode(token, self.key, ["HS256"], audience="assay-api")

    def make(self, *without: str, digest: str = "sha256", **claims: object) -> str:
        kept = {name: value for name, value in self.claims.items() if name not in without}
        return signed(kept | claims, self.key, digest)


def encoded(value: object) -> str:
    content = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def signed(claims: Claims, key: bytes, digest: str = "sha256") -> str:
    """A token by hand (RFC 7519): PyJWT makes none that are too weak."""
    body = f"{encoded({'alg': f'HS{digest[3:]}', 'typ': 'JWT'})}.{encoded(claims)}"
    return f"{body}.{encoded(hmac.digest(key, body.encode(), digest))}"


def with_header(header: object, token: str) -> str:
    return ".".join([encoded(header), *token.split(".")[1:]])


@pytest.fixture(scope="module")
async def person(installation: Installation) -> Person:
    return await installation.person(Role.editor)


@pytest.fixture(scope="module")
def forger(installation: Installation, person: Person) -> Forger:
    return Forger(installation, person)


async def ask(installation: Installation, token: str, scheme: str = "Bearer") -> httpx2.Response:
    client = await installation.client(Authorization=f"{scheme} {token}")
    return await client.get(ME)


async def by_cookie(installation: Installation, token: str) -> httpx2.Response:
    client = await installation.client(Cookie=f"assay_access={token}")
    return await client.get(ME)


async def test_what_the_forger_makes_is_good_where_nothing_is_changed(
    installation: Installation, person: Person, forger: Forger
) -> None:
    response = await ask(installation, forger.make())
    assert (response.status_code, response.json()["user_id"]) == (200, str(person.id))
    assert (await by_cookie(installation, forger.make())).status_code == 200


NOW = time.time()
SOMEBODY = str(new_id())
FORGED: dict[str, Callable[[Forger], str]] = {
    "HS384": lambda f: f.make(digest="sha384"),
    "HS512": lambda f: f.make(digest="sha512"),
    "the algorithm none": lambda f: with_header({"alg": "none"}, f.good).rpartition(".")[0] + ".",
    "none in its header": lambda f: with_header({"alg": "none", "typ": "JWT"}, f.good),
    "None in its header": lambda f: with_header({"alg": "None"}, f.good),
    "HS512 in its header": lambda f: with_header({"alg": "HS512"}, f.good),
    "RS256 in its header": lambda f: with_header({"alg": "RS256"}, f.good),
    "no algorithm": lambda f: with_header({"typ": "JWT"}, f.good),
    "a list of algorithms": lambda f: with_header({"alg": ["HS256"]}, f.good),
    "a key of its own": lambda f: with_header({"alg": "HS256", "jwk": {"k": "eA"}}, f.good),
    "a header that is a list": lambda f: with_header([], f.good),
    "a header without end": lambda f: with_header(b"[" * 5000, f.good),
    "no signature": lambda f: f.good.rpartition(".")[0],
    "an empty signature": lambda f: f.good.rpartition(".")[0] + ".",
    "half a signature": lambda f: f.good[:-20],
    "another's signature": lambda f: ".".join(
        [*f.good.split(".")[:2], f.make(extra=1).split(".")[2]]
    ),
    "a part too many": lambda f: f.good + ".x",
    "a changed claim": lambda f: ".".join(
        [f.good.split(".")[0], encoded(f.claims | {"sub": SOMEBODY}), f.good.split(".")[2]]
    ),
    "another SECRET_KEY": lambda f: signed(f.claims, OTHER.derive("access tokens")),
    "an empty key": lambda f: signed(f.claims, b""),
    "another audience": lambda f: f.make(aud="another"),
    "no audience": lambda f: f.make("aud"),
    "another issuer": lambda f: f.make(iss="another"),
    "no issuer": lambda f: f.make("iss"),
    "no expiry": lambda f: f.make("exp"),
    "no date": lambda f: f.make("iat"),
    "a date to come": lambda f: f.make(iat=NOW + 3600),
    "an expiry that is no date": lambda f: f.make(exp="tomorrow"),
    "no user": lambda f: f.make("sub"),
    "a user that is no id": lambda f: f.make(sub="admin"),
    "nobody's id": lambda f: f.make(sub=SOMEBODY),
    "no sign-in": lambda f: f.make("sid"),
    "a sign-in that is no id": lambda f: f.make(sid="1"),
    "a sign-in that is a number": lambda f: f.make(sid=1),
    "a sign-in that is nothing": lambda f: f.make(sid=None),
    "a sign-in of nobody": lambda f: f.make(sid=SOMEBODY),
    "words": lambda _: "a.b.c",
    "one word": lambda _: "token",
    "dots": lambda _: "..",
    "64,000 characters": lambda _: "x" * 64000,
}


@pytest.mark.parametrize("wrong", FORGED)
async def test_a_token_with(installation: Installation, forger: Forger, wrong: str) -> None:
    token = FORGED[wrong](forger)
    assert token != forger.good
    for response in (await ask(installation, token), await by_cookie(installation, token)):
        assert problem(response) == (401, "token_refused")
        assert response.headers["www-authenticate"] == "Bearer"


async def test_an_expired_token_says_so_and_how_to_get_another(
    installation: Installation, forger: Forger
) -> None:
    response = await ask(installation, forger.make(exp=NOW - 1))
    assert problem(response) == (401, "token_expired")
    assert "/api/v1/auth/refresh" in response.json()["detail"]


async def test_the_sign_in_of_somebody_else_is_refused(
    installation: Installation, forger: Forger, admin: Person
) -> None:
    theirs = Forger(installation, admin).claims
    for token in (
        forger.make(sid=theirs["sid"]),
        forger.make(sub=theirs["sub"]),
    ):
        assert problem(await ask(installation, token)) == (401, "token_refused")
    assert (await ask(installation, forger.make(sub=theirs["sub"], sid=theirs["sid"]))).is_success


@pytest.mark.parametrize(
    "header",
    ["", "Bearer", "Bearer ", "Basic YTpi", "Token x", "x", "Digest username=a", "Bearer\tx"],
)
async def test_another_authorization_is_refused_also_beside_a_good_cookie(
    installation: Installation, forger: Forger, header: str
) -> None:
    headers = {"Cookie": f"assay_access={forger.good}"}
    if header:
        headers["Authorization"] = header
    client = await installation.client(**headers)
    response = await client.get(ME)
    assert response.status_code == (401 if header else 200)


async def test_bytes_that_are_no_text_are_refused(installation: Installation) -> None:
    client = await installation.client()
    for value in (b"Bearer \xff\xfe", b"Bearer ask_\xff" + b"x" * 45, b"\xff", b"Bearer \xc3\xbc"):
        response = await client.get(ME, headers={b"Authorization": value})
        assert response.status_code == 401
        assert (await client.get(ME, headers={b"Cookie": b"assay_access=" + value})).is_error


@settings(derandomize=True, database=None, deadline=None)
@given(st.text(max_size=200) | st.from_regex(r"[\w-]+\.[\w-]+\.[\w-]+", fullmatch=True))
def test_whatever_is_sent_as_a_token_is_refused_and_no_fault_of_ours(token: str) -> None:
    with pytest.raises(Unauthorized):
        AccessTokens(OTHER).read(token)
    with pytest.raises(Unauthorized):
        key_lookup(f"ask_{token}")


def test_keys_are_random_and_each_mistype_is_found_without_a_look_up() -> None:
    keys = {new_key() for _ in range(100)}
    assert len({key_lookup(key) for key in keys}) == 100
    key = keys.pop()
    assert (len(key), key[:4], key.isascii()) == (50, "ask_", True)
    for place in range(4, 50):
        other = "x" if key[place] != "x" else "y"
        with pytest.raises(Unauthorized, match="mistyped"):
            key_lookup(key[:place] + other + key[place + 1 :])
        with pytest.raises(Unauthorized, match="missing"):
            key_lookup(key[:place] + key[place + 1 :])
    for wrong in (key + "x", key[:10] + "ü" + key[11:], key + "\n", f" {key}", key.swapcase()):
        with pytest.raises(Unauthorized):
            key_lookup(wrong)


async def test_a_token_of_a_server_whose_clock_is_ahead_is_taken(
    installation: Installation, forger: Forger
) -> None:
    assert (await ask(installation, forger.make(iat=time.time() + 5))).status_code == 200
