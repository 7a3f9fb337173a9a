"""Which URLs and addresses Assay sends to."""

import socket
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.core.config import Settings
from assay.core.errors import SetupError
from assay.core.outbound import UrlRefused, check_url, is_open, parse_networks

INSIDE = [
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "168.63.129.16/32",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.2.0/24",
    "192.88.99.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/4",
    "240.0.0.0/4",
    "::/96",
    "::1/128",
    "64:ff9b::/96",
    "64:ff9b:1::/48",
    "100::/64",
    "2001::/32",
    "2001:db8::/32",
    "2002::/16",
    "3fff::/20",
    "fc00::/7",
    "fe80::/10",
    "fec0::/10",
    "ff00::/8",
]
addresses_inside = st.sampled_from(INSIDE).flatmap(lambda text: st.ip_addresses(network=text))


@given(addresses_inside)
def test_no_address_inside_is_open(address: IPv4Address | IPv6Address) -> None:
    assert not is_open(address)


@given(st.ip_addresses(v=4))
def test_an_address_written_as_one_of_ipv6_is_what_it_holds(address: IPv4Address) -> None:
    mapped = IPv6Address(f"::ffff:{address}")
    assert is_open(mapped) == is_open(address)
    if is_open(mapped):
        assert address.is_global


@given(st.ip_addresses(v=4), st.sampled_from(["64:ff9b::", "::", "2002:{hex}::"]))
def test_addresses_that_are_translated_to_ipv4_are_never_open(
    address: IPv4Address, form: str
) -> None:
    digits = f"{int(address):08x}"
    if "{hex}" in form:
        text = form.format(hex=f"{digits[:4]}:{digits[4:]}")
    else:
        text = f"{form}{digits[:4]}:{digits[4:]}"
    assert not is_open(ip_address(text))


@given(st.ip_addresses())
def test_what_is_open_is_global_and_a_zone_never_is(address: IPv4Address | IPv6Address) -> None:
    if is_open(address):
        assert address.is_global
        assert not address.is_multicast
    if isinstance(address, IPv6Address):
        assert not is_open(IPv6Address(f"{address}%1"), [IPv6Network("::/0")])


@pytest.mark.parametrize("address", ["8.8.8.8", "1.1.1.1", "2606:4700::1111", "2a00:1450::1"])
def test_addresses_on_the_internet_are_open(address: str) -> None:
    assert is_open(ip_address(address))


@given(addresses_inside)
def test_a_network_that_is_opened_is_open_and_no_other(
    address: IPv4Address | IPv6Address,
) -> None:
    assert is_open(address, [ip_network(address)])
    assert not is_open(address, [IPv4Network("8.8.0.0/16"), IPv6Network("2606::/16")])


@given(st.integers(0, 2**32 - 1), st.data())
def test_no_odd_spelling_of_an_address_of_ipv4_is_taken(number: int, data: st.DataObject) -> None:
    """Whatever a resolver would take for an address is taken in its one plain form only."""
    parts = [number >> 24, (number >> 16) & 255, (number >> 8) & 255, number & 255]
    last = data.draw(st.integers(1, 4), label="how many parts")
    values = [*parts[: last - 1], number & ((1 << (8 * (5 - last))) - 1)]
    spelled = [data.draw(st.sampled_from(["{}", "0{:o}", "{:#x}", "0X{:X}"])) for _ in values]
    text = ".".join(form.format(value) for form, value in zip(spelled, values, strict=True))
    try:
        meant = socket.inet_ntoa(socket.inet_aton(text))
    except OSError:
        meant = None
    if text == meant and is_open(ip_address(meant)):
        assert check_url(f"http://{text}/").host == meant
        return
    with pytest.raises(UrlRefused):
        check_url(f"http://{text}/")


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.com/",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "example.com/hook",
        "//example.com/hook",
        "http:example.com",
        "http:///hook",
        "https://",
        "http://user:password@example.com/",
        "http://user:hunter2%\u017f@example.com/",
        "http://user@example.com/",
        "http://example.com\\@127.0.0.1/",
        "http://exa mple.com/",
        "http://example.com/a b",
        "http://example.com/\r\nHost: other",
        "http://example.com:99999/",
        "http://127.0.0.1/",
        "http://127.0.0.1./",
        "http://127.1/",
        "http://2130706433/",
        "http://0x7f000001/",
        "http://0x/",
        "http://①②⑦.⓪.⓪.①/",
        "http://%31%32%37.0.0.1/",
        "http://169.254.169.254/latest/meta-data",
        "http://168.63.129.16/",
        "http://[::1]/",
        "http://[::]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[::ffff:7f00:1]/",
        "http://[64:ff9b::7f00:1]/",
        "http://[fe80::1%25eth0]/",
        "http://[fe80::1%eth0]/",
        f"http://example.com/{'a' * 2000}",
        "http://" + "a" * 64 + ".com/",
    ],
)
def test_urls_that_are_refused_say_where_and_what(url: str) -> None:
    with pytest.raises(UrlRefused) as caught:
        check_url(url, place="body.url")
    assert [fault.place for fault in caught.value.errors] == ["body.url"]
    assert caught.value.detail == caught.value.errors[0].message
    assert "hunter2" not in caught.value.detail


@pytest.mark.parametrize(
    ("url", "host", "port"),
    [
        ("https://example.com/hook?token=1", "example.com", 443),
        ("HTTP://EXAMPLE.com:8080", "example.com", 8080),
        ("https://bücher.example/ü", "xn--bcher-kva.example", 443),
        ("http://under_score.example/", "under_score.example", 80),
        ("http://8.8.8.8:22/", "8.8.8.8", 22),
        ("http://[2606:4700::1111]/", "2606:4700::1111", 80),
        ("http://localhost/", "localhost", 80),
    ],
)
def test_urls_that_are_taken(url: str, host: str, port: int) -> None:
    """Names are looked up when something is sent, so `localhost` has the right form."""
    checked = check_url(url)
    assert (checked.raw_host, checked.port) == (host, port)


@given(st.text())
def test_any_text_is_a_url_or_refused(text: str) -> None:
    for url in (text, f"http://{text}", f"http://example.com/{text}"):
        try:
            checked = check_url(url)
        except UrlRefused:
            continue
        assert checked.scheme in ("http", "https")
        assert checked.raw_user is None


def test_the_setting_takes_networks() -> None:
    settings = Settings(webhook_allowed_networks="10.1.0.0/16, fd00::/8,127.0.0.1", _env_file=None)
    allowed = parse_networks(settings.webhook_allowed_networks)
    opened = ["10.1.2.3", "fd00::1", "127.0.0.1"]
    assert all(is_open(ip_address(address), allowed) for address in opened)
    assert not is_open(ip_address("10.2.0.1"), allowed)
    with pytest.raises(SetupError, match=r"WEBHOOK_ALLOWED_NETWORKS.*not 10\.1\.0\.1/16"):
        Settings.load(webhook_allowed_networks="10.1.0.1/16")
