"""Write docs/demo.svg, the picture in the README, from what `assay demo --no-serve` prints."""

import io
import os
import re
import subprocess
import sys
from pathlib import Path

from rich.console import Console
from rich.text import Text

FILE = Path(__file__).parent.parent / "docs" / "demo.svg"
WIDTH = 124
ERASE_LINE = "\x1b[2K"
COLOURS = {"FORCE_COLOR": "1", "TERM": "xterm-256color", "COLORTERM": "truecolor"}


def main() -> None:
    """Run the demo and draw what a terminal shows in the end."""
    demo = subprocess.run(
        [sys.executable, "-m", "assay.cli.main", "demo", "--no-serve"],
        env={**os.environ, **COLOURS},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=True,
    )
    console = Console(record=True, width=WIDTH, file=io.StringIO(), highlight=False)
    console.print("[bold green]$[/] make demo ARGS=--no-serve")
    for line in demo.stdout.decode().split("\n"):
        # A progress bar draws over itself: only its last state stays.
        console.print(Text.from_ansi(line.rpartition(ERASE_LINE)[2]))
    picture = console.export_svg(title="assay", unique_id="demo")
    # Sites that show pictures of others do not let them load fonts.
    FILE.write_text(re.sub(r"@font-face \{.*?\}\n", "", picture, flags=re.DOTALL))


if __name__ == "__main__":
    main()
