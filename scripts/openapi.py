"""Write openapi.json, or with --check make sure that it is what the code says."""

import json
import sys
from pathlib import Path

from assay.app import create_app
from assay.core.config import Settings

FILE = Path(__file__).parent.parent / "openapi.json"


def main() -> int:
    """Give the exit code."""
    text = json.dumps(create_app(Settings(_env_file=None)).openapi(), indent=2) + "\n"
    if "--check" not in sys.argv:
        FILE.write_text(text)
        return 0
    if FILE.exists() and FILE.read_text() == text:
        return 0
    sys.stderr.write("openapi.json is not what the code says; run `make openapi`\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
