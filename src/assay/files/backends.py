"""The backends of the storage, by FILE_STORAGE_TYPE."""

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from obstore.exceptions import BaseError
from obstore.store import AzureStore, GCSStore, LocalStore, ObjectStore, S3Store

from assay.core.config import FileStorage, Settings
from assay.core.errors import SetupError
from assay.files.storage import Storage

if TYPE_CHECKING:
    # These exist for type checkers alone.
    from obstore.store import ClientConfig, RetryConfig

FOLDER = "files"
# A service that is down is told of within seconds, not after the library's three minutes.
_RETRIES: "RetryConfig" = {"max_retries": 3, "retry_timeout": timedelta(seconds=15)}


def open_storage(settings: Settings) -> Storage:
    """The storage that the settings name; nothing is asked of it yet.

    Raises:
        SetupError: a setting is missing or wrong, or the folder cannot be made.
    """
    try:
        store = _BACKENDS[settings.file_storage_type](settings)
    except (BaseError, OSError, ValueError) as error:
        reason = str(error).split("\n", 1)[0]
        raise SetupError(
            f"FILE_STORAGE_TYPE is {settings.file_storage_type}, and that storage cannot be used: "
            f"{reason}"
        ) from None
    on_disk = settings.file_storage_type is FileStorage.local
    return Storage(store, local_folder(settings) if on_disk else None)


def local_folder(settings: Settings) -> Path:
    """The folder of files on this machine's disk."""
    return settings.file_storage_path or settings.assay_home / FOLDER


def _local(settings: Settings) -> ObjectStore:
    folder = local_folder(settings)
    # What people upload is nobody else's on this machine.
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return LocalStore(folder, automatic_cleanup=True)


def _client(endpoint: str | None) -> "ClientConfig":
    return {
        "allow_http": (endpoint or "").startswith("http://"),
        "connect_timeout": timedelta(seconds=5),
        # For one part of an upload, on a slow line.
        "timeout": timedelta(minutes=2),
    }


def _azure(settings: Settings) -> ObjectStore:
    connection = settings.azure_storage_connection_string
    if connection is None:
        raise SetupError("Set AZURE_STORAGE_CONNECTION_STRING for FILE_STORAGE_TYPE=azure_blob.")
    parts = dict(
        part.split("=", 1) for part in connection.get_secret_value().split(";") if "=" in part
    )
    if "AccountName" not in parts or "AccountKey" not in parts:
        raise SetupError(
            "AZURE_STORAGE_CONNECTION_STRING needs AccountName=...;AccountKey=... in it."
        )
    endpoint = parts.get("BlobEndpoint")
    return AzureStore(
        settings.azure_storage_container,
        config={"endpoint": endpoint} if endpoint else {},
        account_name=parts["AccountName"],
        account_key=parts["AccountKey"],
        client_options=_client(endpoint),
        retry_config=_RETRIES,
    )


def _s3(settings: Settings) -> ObjectStore:
    if settings.s3_bucket is None:
        raise SetupError("Set S3_BUCKET for FILE_STORAGE_TYPE=s3.")
    endpoint = settings.s3_endpoint
    # Keys and region come from the variables of AWS, from a profile, or from the machine.
    return S3Store(
        settings.s3_bucket,
        config={"endpoint": endpoint} if endpoint else {},
        client_options=_client(endpoint),
        retry_config=_RETRIES,
    )


def _gcs(settings: Settings) -> ObjectStore:
    if settings.gcs_bucket is None:
        raise SetupError("Set GCS_BUCKET for FILE_STORAGE_TYPE=gcs.")
    return GCSStore(settings.gcs_bucket, client_options=_client(None), retry_config=_RETRIES)


_BACKENDS = {
    FileStorage.local: _local,
    FileStorage.azure_blob: _azure,
    FileStorage.s3: _s3,
    FileStorage.gcs: _gcs,
}
