"""Storages for real: this disk, Azurite, and moto's S3 server, each started by the tests."""

import base64
import hmac
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.utils import formatdate
from pathlib import Path

import httpx2
import obstore
import pytest
from obstore.store import AzureStore, LocalStore, S3Store
from pydantic import SecretStr

from assay.core.config import FileStorage, Settings
from assay.files.backends import open_storage
from assay.files.storage import Storage

START_SECONDS = 60.0
# The account that every Azurite has; its key is in Azurite's documentation.
AZURE_ACCOUNT = "devstoreaccount1"
AZURE_KEY = (
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
)
BUCKET = "evals-files"
AZURITE = Path(__file__).parents[1] / "azurite/node_modules/azurite/dist/src/blob/main.js"


@dataclass(frozen=True)
class Place:
    """A storage, and a way to look behind it."""

    kind: FileStorage
    storage: Storage
    settings: Settings

    def stored(self) -> list[str]:
        """All that is stored, finished or not."""
        store = self.storage._store
        if isinstance(store, LocalStore):
            root = Path(str(store.prefix))
            return [str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()]
        assert isinstance(store, AzureStore | S3Store)
        keys = [entry["path"] for batch in obstore.list(store) for entry in batch]
        if self.settings.s3_endpoint:
            pending = httpx2.get(f"{self.settings.s3_endpoint}/{BUCKET}?uploads").text
            assert "ListMultipartUploadsResult" in pending
            keys += ["unfinished"] * pending.count("<UploadId>")
        return keys


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def process(*command: str, port: int) -> Iterator[None]:
    """A server, from when it listens to the end of the context."""
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as running:
        try:
            end = time.monotonic() + START_SECONDS
            while True:
                try:
                    socket.create_connection(("127.0.0.1", port), 1).close()
                    break
                except OSError:
                    assert running.poll() is None, f"{command[0]} ended"
                    assert time.monotonic() < end, f"{command[0]} does not listen"
                    time.sleep(0.1)
            yield
        finally:
            running.terminate()
            running.wait()


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    port = free_port()
    with process(
        sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port), port=port
    ):
        endpoint = f"http://127.0.0.1:{port}"
        patch = pytest.MonkeyPatch()
        patch.setenv("AWS_ACCESS_KEY_ID", "test")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        patch.setenv("AWS_REGION", "us-east-1")
        httpx2.put(f"{endpoint}/{BUCKET}").raise_for_status()
        yield endpoint
        patch.undo()


@pytest.fixture(scope="session")
def azure_connection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    node, port = shutil.which("node"), free_port()
    if node is None or not AZURITE.is_file():
        pytest.skip("Azurite is not installed: `make azurite` does it, where there is npm")
    folder = tmp_path_factory.mktemp("azurite")
    options = ("--silent", "--skipApiVersionCheck", "--disableTelemetry")
    where = ("--blobHost", "127.0.0.1", "--blobPort", str(port), "--location", str(folder))
    with process(node, str(AZURITE), *where, *options, port=port):
        endpoint = f"http://127.0.0.1:{port}/{AZURE_ACCOUNT}"
        make_container(endpoint)
        yield (
            f"DefaultEndpointsProtocol=http;AccountName={AZURE_ACCOUNT};AccountKey={AZURE_KEY};"
            f"BlobEndpoint={endpoint};"
        )


def make_container(endpoint: str) -> None:
    """Make the container, which the storage leaves to those who run it."""
    path = f"/{AZURE_ACCOUNT}/{BUCKET}"
    headers = {"x-ms-date": formatdate(usegmt=True), "x-ms-version": "2021-08-06"}
    told = "".join(f"{name}:{value}\n" for name, value in headers.items())
    message = "PUT" + 12 * "\n" + told + f"/{AZURE_ACCOUNT}{path}\nrestype:container"
    signature = hmac.digest(base64.b64decode(AZURE_KEY), message.encode(), "sha256")
    key = base64.b64encode(signature).decode()
    headers["Authorization"] = f"SharedKey {AZURE_ACCOUNT}:{key}"
    answer = httpx2.put(f"{endpoint}/{BUCKET}?restype=container", headers=headers)
    assert answer.status_code == 201, answer.text


@pytest.fixture(params=[FileStorage.local, FileStorage.s3, FileStorage.azure_blob])
def place(request: pytest.FixtureRequest, tmp_path: Path, settings: Settings) -> Place:
    """Each kind of storage in turn, empty."""
    kind: FileStorage = request.param
    changes: dict[str, object] = {
        "file_storage_type": kind,
        "file_storage_path": tmp_path / "files",
    }
    if kind is FileStorage.s3:
        changes |= {"s3_bucket": BUCKET, "s3_endpoint": request.getfixturevalue("s3_endpoint")}
    if kind is FileStorage.azure_blob:
        connection = SecretStr(request.getfixturevalue("azure_connection"))
        changes |= {"azure_storage_connection_string": connection}
    given = settings.model_copy(update=changes)
    place = Place(kind, open_storage(given), given)
    for key in place.stored():
        obstore.delete(place.storage._store, key)
    return place
