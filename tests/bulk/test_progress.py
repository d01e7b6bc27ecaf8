"""Progress output and summaries of bulk runs."""

from io import StringIO

from django.core.management.base import OutputWrapper
from django.core.management.color import color_style

from alguna_portal.bulk.summary import Progress, ProgressBar, ProgressLog, Summary, create_progress


class Terminal(StringIO):
    """A terminal that keeps the output."""

    def isatty(self) -> bool:
        return True


class Clock:
    """A clock that the test sets."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_output_depends_on_the_stream_and_the_verbosity() -> None:
    assert isinstance(create_progress(OutputWrapper(StringIO()), 3, unit="rows", verbosity=1), ProgressLog)
    assert type(create_progress(OutputWrapper(Terminal()), 3, unit="rows", verbosity=0)) is Progress
    bar = create_progress(OutputWrapper(Terminal()), 3, unit="rows", verbosity=1)
    assert isinstance(bar, ProgressBar)
    bar.close()


def test_the_bar_moves_in_place() -> None:
    """It's written without line ends and colours, except for messages above it."""
    terminal = Terminal()
    stream = OutputWrapper(terminal)
    stream.style_func = color_style(force_color=True).ERROR
    bar = ProgressBar(stream, 4, unit="rows")
    summary = Summary(total=4)
    bar.show(summary)
    summary.outcomes["created"] += 1
    summary.fail(7, "name: missing")
    bar.show(summary, pause=12.3)
    bar.show(summary, pause=11.6)
    bar.write("Something happened.")
    bar.close()
    written = terminal.getvalue()
    assert "\x1b[3" not in written
    assert "Something happened.\n" in written
    assert written.count("\n") == 2
    *_, last = written.rstrip("\n").split("\r")
    assert "2/4" in last
    assert "1 failed, waiting 12 s" in last


def test_lines_are_written_every_ten_seconds_and_at_the_end() -> None:
    written, clock = StringIO(), Clock()
    lines = ProgressLog(OutputWrapper(written), unit="rows", clock=clock)
    summary = Summary(total=4)
    lines.show(summary)
    summary.outcomes["created"] += 1
    for clock.now in (9.9, 10, 15, 19.9):
        lines.show(summary)
    summary.fail(7, "name: missing")
    clock.now = 20
    lines.show(summary, pause=30)
    lines.write("Something happened.")
    clock.now = 25
    lines.show(summary)
    lines.close()
    assert written.getvalue().splitlines() == [
        "1 of 4 rows, 0 failed, 0.1 a second",
        "2 of 4 rows, 1 failed, 0.1 a second, waiting 30 s for Alguna",
        "Something happened.",
        "2 of 4 rows, 1 failed, 0.1 a second",
    ]


def test_without_progress_no_line_is_written() -> None:
    written = StringIO()
    ProgressLog(OutputWrapper(written), unit="rows").close()
    assert not written.getvalue()


def test_the_size_of_a_summary_is_limited() -> None:
    summary = Summary(total=200)
    for key in range(100):
        summary.fail(key, *(["currency: wrong", "name: missing"] if key < 3 else ["currency: wrong"]))
    for key in range(100):
        summary.fail(100 + key, f"AlgunaRefused: {key}")
    lines = list(summary.failures.format())
    assert lines[0] == "   100  currency: wrong (pk 0, 1, 2, 3, 4, …)"
    assert lines[1] == "    72  other reasons (pk 128, 129, 130, 131, 132, …)"
    assert lines[2] == "     3  name: missing (pk 0, 1, 2)"
    assert len(lines) == 31
    assert summary.failed == summary.done == 200
    assert summary.untried == 0
