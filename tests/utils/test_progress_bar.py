import io
import sys

from gluon_glore.utils.progress_bar import bar


def test_in_a_log_file_a_bar_is_whole_lines(monkeypatch):
    log = io.StringIO()
    monkeypatch.setattr(sys, "stderr", log)
    assert list(bar(range(3), unit="step")) == [0, 1, 2]
    first, last = log.getvalue().splitlines()
    assert first.startswith("0%") and last.startswith("100%") and "3/3" in last
    assert "\r" not in log.getvalue() and log.getvalue().endswith("\n")


def test_on_a_terminal_a_bar_is_drawn_over(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    progress = bar(total=2)
    progress.update(2)
    progress.close()
    assert terminal.getvalue().count("\n") == 1 and terminal.getvalue().count("\r") >= 2
    assert "2/2" in terminal.getvalue()
