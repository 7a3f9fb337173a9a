"""Traces of real processes, sent to a collector that this test plays."""

import gzip
import http.server
import os
import signal
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from assay.core.telemetry import traces_wanted


class Collector:
    """Keeps the spans that it is sent, with the attributes of their resource."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.spans: list[Any] = []
        self.resource: dict[str, str] = {}

    def take(self, body: bytes) -> None:
        for group in ExportTraceServiceRequest.FromString(body).resource_spans:
            self.resource |= {a.key: a.value.string_value for a in group.resource.attributes}
            self.spans += [span for scope in group.scope_spans for span in scope.spans]

    def named(self, name: str) -> list[Any]:
        return [span for span in self.spans if span.name == name]


@pytest.fixture
def collector() -> Iterator[Collector]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.headers.get("content-encoding") == "gzip":
                body = gzip.decompress(body)
            kept.take(body)
            answer = ExportTraceServiceResponse().SerializeToString()
            self.send_response(200)
            self.send_header("content-type", "application/x-protobuf")
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        kept = Collector(f"http://127.0.0.1:{server.server_address[1]}")
        threading.Thread(target=server.serve_forever).start()
        yield kept
        server.shutdown()


@pytest.fixture
async def environment(
    new_database_dsn: Callable[[], Any], collector: Collector, tmp_path: Path
) -> dict[str, str]:
    return {
        **os.environ,
        "DATABASE_URL": await new_database_dsn(),
        "ASSAY_HOME": str(tmp_path),
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
        "OTEL_SERVICE_NAME": "assay-test",
    }


@contextmanager
def command(environment: dict[str, str], *arguments: str) -> Iterator["subprocess.Popen[str]"]:
    with subprocess.Popen(
        [sys.executable, "-m", "assay.cli.main", *arguments],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def test_a_request_is_a_span_with_its_statements_below(
    environment: dict[str, str], collector: Collector
) -> None:
    with command(environment, "up", "--port", "0", "--workers", "0") as server:
        assert server.stderr is not None
        ready = next(line for line in server.stderr if "ready at" in line)
        url = ready.split("ready at ")[1].split()[0]
        trace_id = "4bf92f3577b34da6a3ce929d0e0e4736"
        headers = {"traceparent": f"00-{trace_id}-00f067aa0ba902b7-01"}
        request = urllib.request.Request(f"{url}/api/v1/projects", headers=headers)
        assert urllib.request.urlopen(request).status == 200
        server.send_signal(signal.SIGTERM)
        assert server.wait(20) == 0
    [span] = collector.named("GET /api/v1/projects")
    assert span.trace_id.hex() == trace_id
    statements = [each for each in collector.spans if each.parent_span_id == span.span_id]
    assert any(each.name.startswith("SELECT") for each in statements)
    assert collector.resource["service.name"] == "assay-test"


def test_a_job_is_a_span_with_its_model_calls_below(
    environment: dict[str, str], collector: Collector, tmp_path: Path
) -> None:
    suite = tmp_path / "suite.yaml"
    suite.write_text("prompts: ['say {{word}}']\nproviders: [echo]\ntests: [{vars: {word: moon}}]")
    with command(environment, "eval", str(suite)) as run:
        assert run.wait(30) == 0
    [call] = collector.named("chat builtin/echo")
    attributes = {each.key: each.value for each in call.attributes}
    assert attributes["gen_ai.request.model"].string_value == "echo"
    assert attributes["gen_ai.usage.output_tokens"].int_value > 0
    jobs = {span.span_id for span in collector.spans if span.name.startswith("job ")}
    assert call.trace_id in {span.trace_id for span in collector.spans if span.span_id in jobs}
    assert b"moon" not in b"".join(span.SerializeToString() for span in collector.spans)


@pytest.mark.parametrize(
    ("variables", "wanted"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:1/v1/traces"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x", "OTEL_SDK_DISABLED": "true"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x", "OTEL_TRACES_EXPORTER": "none"}, False),
    ],
)
def test_traces_are_sent_where_the_environment_says_so(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], wanted: bool
) -> None:
    for name in list(os.environ):
        if name.startswith("OTEL_"):
            monkeypatch.delenv(name)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert traces_wanted() is wanted


def test_without_the_optional_packages_it_says_what_to_install(
    environment: dict[str, str],
) -> None:
    code = (
        "import sys; sys.modules['opentelemetry.sdk'] = None\n"
        "from assay.cli.main import main; main()"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code, "users", "list"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 2
    assert "install assay[otel]" in ended.stderr
