# syntax=docker/dockerfile:1
FROM python:3.13-slim AS build
RUN pip install --no-cache-dir "uv>=0.9"
WORKDIR /src
# Dependencies first: they change seldom, so this layer is kept.
COPY requirements-runtime.lock ./
RUN uv venv /opt/assay \
    && uv pip sync --python /opt/assay/bin/python --no-cache --require-hashes requirements-runtime.lock
COPY pyproject.toml README.md LICENSE ./
COPY src ./src
RUN uv pip install --python /opt/assay/bin/python --no-cache --no-deps .

FROM python:3.13-slim
# What agents work with, in sandboxes that see the image's /usr.
RUN apt-get update \
    && apt-get install -y --no-install-recommends bubblewrap git \
    && rm -rf /var/lib/apt/lists/*
RUN useradd --system --uid 10001 --create-home --home-dir /var/lib/assay assay
COPY --from=build /opt/assay /opt/assay
ENV PATH="/opt/assay/bin:$PATH" \
    ASSAY_HOME=/var/lib/assay \
    LOG_FORMAT=json \
    PYTHONUNBUFFERED=1
USER assay
WORKDIR /var/lib/assay
EXPOSE 8721
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8721/health', timeout=2)"]
CMD ["assay", "up"]
