import io

import pytest
from rich.console import Console

from assay.cli import progress
from assay.cli.follow import Standing
from assay.cli.progress import in_words, progress_display


@pytest.mark.parametrize(
    ("standing", "pace", "words"),
    [
        (Standing(100, 0, 0, 0, 0.0, 1), 0.0, "0.0 cells/s"),
        (Standing(100, 50, 0, 0, 0.0, 1), 0.5, "0.5 cells/s  1:40 left"),
        (Standing(9000, 3000, 0, 0, 0.0, 1), 1234.5, "1,234 cells/s  0:05 left"),
        (
            Standing(100, 40, 3, 2, 0.0123, 1),
            20.0,
            "20 cells/s  $0.0123  3 failed  2 in error  0:03 left",
        ),
        (Standing(100, 100, 0, 0, 0.0, 0), 20.0, "20 cells/s"),
        (
            Standing(100, 40, 0, 0, 0.0, 1, 50),
            0.5,
            "0.5 cells/s  50 wait for people  0:20 left",
        ),
        (Standing(100, 40, 0, 0, 0.0, 1, 60), 0.0, "0.0 cells/s  60 wait for people"),
    ],
)
def test_in_words(standing: Standing, pace: float, words: str) -> None:
    assert in_words(standing, pace) == words


def test_a_terminal_gets_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.StringIO()
    terminal = Console(file=screen, force_terminal=True, width=120, color_system=None)
    monkeypatch.setattr(progress, "notes", lambda: terminal)
    with progress_display() as display:
        display.show(Standing(1000, 250, 0, 1, 0.5, 1), 100.0)
        display.say("The database does not answer; waiting for it.")
    shown = screen.getvalue()
    assert "250/1,000 cells" in shown
    assert " 25%" in shown
    assert "100 cells/s  $0.5000  1 in error  0:08 left" in shown
    assert "waiting for it" in shown


def test_a_pipe_gets_lines_now_and_then(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_display() as display:
        for completed in range(0, 100, 10):
            display.show(Standing(100, completed, 0, 0, 0.0, 1), 10.0)
        display.show(Standing(1000, 999, 0, 0, 0.0, 0), 10.0)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("0/100 cells")
    assert lines[1].startswith("999/1,000 cells   99%")


def test_while_people_take_their_time_nothing_is_said_twice(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "LINE_EVERY", 0.0)
    with progress_display() as display:
        for _ in range(5):
            display.show(Standing(10, 4, 0, 0, 0.0, 1, 6), 0.0)
        display.show(Standing(10, 5, 0, 0, 0.0, 1, 5), 0.1)
    lines = capsys.readouterr().err.splitlines()
    assert ["6 wait" in line for line in lines] == [True, False]
