import os
import socket
from collections.abc import Iterator
from contextlib import closing

import pytest

from assay.cli.serving import address, listen
from assay.core.config import Settings
from assay.core.errors import SetupError


def settings(host: str = "127.0.0.1", port: int = 0) -> Settings:
    return Settings(host=host, api_port=port, _env_file=None)


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def test_a_free_port_is_found() -> None:
    with closing(listen(settings())) as listener:
        port = listener.getsockname()[1]
        assert address(listener) == f"http://127.0.0.1:{port}"


def test_the_ipv6_loopback_is_loopback() -> None:
    with closing(listen(settings("::1"))) as listener:
        assert address(listener) == f"http://[::1]:{listener.getsockname()[1]}"


def test_a_port_in_use_is_named_with_its_user_and_the_remedy(taken: int) -> None:
    with pytest.raises(SetupError) as caught:
        listen(settings(port=taken))
    assert f"Port {taken} on 127.0.0.1" in caught.value.detail
    assert f"(process {os.getpid()})" in caught.value.detail
    assert "--port or API_PORT" in caught.value.detail


def test_all_addresses_can_be_listened_on() -> None:
    with closing(listen(settings("0.0.0.0"))) as listener:
        assert address(listener) == f"http://0.0.0.0:{listener.getsockname()[1]}"


@pytest.mark.parametrize("host", ["192.0.2.1", "no.such.host.invalid"])
def test_an_address_of_another_machine_is_refused(host: str) -> None:
    with pytest.raises(SetupError, match=f"HOST is {host}, which is no address of this machine"):
        listen(settings(host))
