"""How fast a large file is uploaded and read again, and how much memory that takes the server.

    python benchmarks/upload.py                  # 2 GB to local disk; exit code 1 above 100 MB

The file is made up while it is sent, over loopback, to a real server that keeps it on local disk.
Memory is what the server has resident at most, beyond what it had before.
"""

import argparse
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import psutil
from rich.console import Console
from rich.table import Table

from processes import embedded_database, server, temporary_home

BAR = 100.0
"""Megabytes of memory."""

MB = 1_000_000
BOUNDARY = "upload-benchmark"
BLOCK = bytes(range(256)) * 1024


def body(size: int) -> Iterator[bytes]:
    """A form with a file of so many bytes."""
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="large.bin"'
    yield f"{head}\r\n\r\n".encode()
    for _ in range(size // len(BLOCK)):
        yield BLOCK
    yield BLOCK[: size % len(BLOCK)]
    yield f"\r\n--{BOUNDARY}--\r\n".encode()


def reset_peak(process: psutil.Process) -> float:
    """What the process has resident now, in MB; its peak is counted from here."""
    # 5 is what the kernel takes for this.
    Path(f"/proc/{process.pid}/clear_refs").write_text("5")
    return float(process.memory_info().rss) / MB


def peak(process: psutil.Process) -> float:
    """The most that the process had resident since then, in MB."""
    lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    [line] = [line for line in lines if line.startswith("VmHWM")]
    return int(line.split()[1]) * 1024 / MB


def upload(client: httpx2.Client, size: int) -> str:
    """Upload a file; gives its id."""
    headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
    answer = client.post("/api/files/upload", content=body(size), headers=headers)
    made = answer.raise_for_status().json()
    assert made["size_bytes"] == size
    return str(made["id"])


def download(client: httpx2.Client, file_id: str, size: int) -> None:
    """Read a file again, and a piece near its end."""
    path, read = f"/api/files/{file_id}/download", 0
    with client.stream("GET", path) as answer:
        for chunk in answer.iter_raw():
            read += len(chunk)
    assert read == size
    start = size - 1000
    part = client.get(path, headers={"Range": f"bytes={start}-{start + 9}"})
    assert part.status_code == 206
    assert part.content == bytes((start + n) % 256 for n in range(10))


def main() -> int:
    """Measure, print, and say whether the bar is met."""
    parser = argparse.ArgumentParser(description="Upload a large file.")
    parser.add_argument("--megabytes", type=int, default=2147)
    size = parser.parse_args().megabytes * MB
    table = Table(title=f"A file of {size / 1e9:.1f} GB")
    for column in ("", "MB/s", "memory before, MB", "memory at most, MB", "more, MB"):
        table.add_column(column, justify="right" if column else "left")
    most = 0.0
    with temporary_home() as home, embedded_database(home) as dsn:
        # PostgreSQL stands beside: the server's memory is its own.
        env = {"ASSAY_HOME": home, "LOG_LEVEL": "WARNING"}
        assert dsn
        with server(env) as served, httpx2.Client(base_url=served.url, timeout=600) as client:
            upload(client, MB)  # what is loaded with the first use is not what is measured
            file_id = ""
            for name in ("upload", "download"):
                before, start = reset_peak(served.process), time.perf_counter()
                if name == "upload":
                    file_id = upload(client, size)
                else:
                    download(client, file_id, size)
                speed = size / MB / (time.perf_counter() - start)
                at_most = peak(served.process)
                most = max(most, at_most - before)
                row = (speed, before, at_most, at_most - before)
                table.add_row(name, *(f"{number:.0f}" for number in row))
            assert client.delete(f"/api/files/{file_id}").is_success
    Console(width=100).print(table)
    if most >= BAR:
        print(f"it took {most:.0f} MB, and {BAR:.0f} are the bar")
    return 1 if most >= BAR else 0


if __name__ == "__main__":
    sys.exit(main())
