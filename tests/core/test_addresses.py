import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.core.addresses import host_name, is_loopback, origin_authority


@pytest.mark.parametrize(
    "host",
    ["localhost", "LOCALHOST", "localhost.", "app.localhost", "127.0.0.1", "127.8.9.1", "::1"],
)
def test_names_of_this_machine(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host",
    [
        "",
        "0.0.0.0",
        "::",
        "10.0.0.1",
        "example.com",
        "localhost.example.com",
        "notlocalhost",
        "127.0.0.1.example.com",
        "127.0.0.1:80",
        "[::1]",
        "127.1",
        "0177.0.0.1",
        "2130706433",
        "::2",
    ],
)
def test_names_of_others(host: str) -> None:
    assert not is_loopback(host)


@pytest.mark.parametrize(
    ("authority", "name"),
    [
        ("localhost:8721", "localhost"),
        ("Example.COM", "example.com"),
        ("127.0.0.1:80", "127.0.0.1"),
        ("[::1]:8721", "::1"),
        ("[::1]", "::1"),
        ("", ""),
        (":80", ""),
        ("[::1", ""),
        ("localhost@evil.example:80", "evil.example"),
        ("evil.example/@localhost", "evil.example"),
        ("evil.example#@localhost", "evil.example"),
    ],
)
def test_the_name_in_a_host_header(authority: str, name: str) -> None:
    assert host_name(authority) == name


@pytest.mark.parametrize(
    ("origin", "authority"),
    [
        ("http://localhost:3000", "localhost:3000"),
        ("https://Example.com", "example.com"),
        ("http://me:pass@Example.com:1/path", "example.com:1"),
        ("http://[::1]:8721", "[::1]:8721"),
        ("null", ""),
        ("", ""),
        ("http://[::1", ""),
        ("localhost:3000", ""),
    ],
)
def test_the_authority_of_an_origin(origin: str, authority: str) -> None:
    assert origin_authority(origin) == authority


@given(st.text())
def test_whatever_a_header_holds_nothing_breaks(text: str) -> None:
    assert is_loopback(host_name(text)) in (True, False)
    assert "@" not in origin_authority(text)
