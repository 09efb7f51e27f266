"""The reports of a running training: progress bar, metrics.jsonl, TensorBoard, summary."""

import json
import math
import sys

from gluon_glore.utils.errors import naming
from gluon_glore.utils.files import write_text
from gluon_glore.utils.progress_bar import bar

from ..config.load import to_dict
from .curves import draw_curves
from .runs import METRICS_FILE, read_run, write_config
from .table import table
from .tensorboard import EventFile
from .versions import versions
from .waiting import Waiting

COUNTERS = ("kind", "epoch", "step", "samples", "seconds")  # no curves in TensorBoard


class Reporter:
    """Rank 0 writes into the run's folder `out` and draws the bar on stderr; the others are silent.

    `first_step` is the first step to be taken, counted over the whole run: above 0 where the run is
    resumed. Raises InputError where a file can't be written.
    """

    def __init__(self, out, comm, config, steps_per_epoch, first_step=0):
        self._out, self._comm, self._config = out, comm, config
        self._steps_per_epoch = steps_per_epoch
        self._steps = max(first_step, config.optim.run_steps(steps_per_epoch))
        self._waiting, self._waited = None, 0.0
        self._metrics = self._events = self._bar = None
        if comm.rank == 0:
            self._metrics = out / METRICS_FILE
            with naming(out):
                write_config(out, to_dict(config))
                if first_step == 0:  # of a run that ended before its first checkpoint
                    self._metrics.unlink(missing_ok=True)
                if config.tensorboard:
                    self._events = EventFile(out / "tensorboard", first_step)
            self._bar = bar(total=self._steps, initial=first_step, unit="step")

    def __enter__(self):
        return self

    def __exit__(self, *error):
        if self._bar is not None:
            self._bar.close()
        if self._events is not None:
            self._events.close()

    def watch(self, batches):
        """The same training batches; the rows of `train` say how long this rank waited for them."""
        self._waiting, self._waited = Waiting(batches), 0.0
        return self._waiting

    def train(self, step, lr, meter):
        """Report the `Meter` of the steps up to `step`, counted from 0 over the run."""
        speed, waited = meter.images_per_second, self._waiting.seconds
        waiting = min(1.0, (waited - self._waited) / meter.seconds)
        self._waited = waited
        self._write(
            step,
            kind="train",
            epoch=step // self._steps_per_epoch,
            step=step,
            lr=lr,
            loss=meter.loss,
            **meter.figures,
            images_per_second=speed,
            waiting=waiting,
            seconds=meter.seconds,
        )
        if self._bar is not None:
            text = f"{meter.text(3)}, {speed:.0f} images/s"
            self._bar.set_postfix_str(text, refresh=False)
            self._bar.update(step + 1 - self._bar.n)

    def evaluation(self, epoch, meter):
        """Report the `Meter` of the evaluation at the end of `epoch`, counted from 0."""
        self._write(
            min((epoch + 1) * self._steps_per_epoch, self._steps) - 1,
            kind="eval",
            epoch=epoch,
            loss=meter.loss,
            **meter.figures,
            samples=meter.samples,
            seconds=meter.seconds,
        )
        if self._bar is not None:
            self._bar.write(f"epoch {epoch + 1}: test {meter.text(4)}", file=sys.stderr)

    def finish(self):
        """Write summary.json and curves.png of the whole run, resumed or not, and print a table."""
        if self._comm.rank != 0:
            return
        run = read_run(self._out)
        summary = {
            "model": self._config.model.name,
            "epochs": math.ceil(self._steps / self._steps_per_epoch),
            "processes": self._comm.size,
            **run.figures(),
            "config": to_dict(self._config),
            "versions": versions(),
        }
        with naming(self._out):
            write_text(self._out / "summary.json", json.dumps(summary, indent=2) + "\n")
            draw_curves([run], self._out / "curves.png")
        print(table([run]))

    def _write(self, last, **row):
        """Write a row of metrics.jsonl, and its figures for TensorBoard at step `last`."""
        if self._metrics is None:
            return
        with naming(self._metrics), open(self._metrics, "a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
        if self._events is not None:
            figures = {
                f"{row['kind']}/{key}": value
                for key, value in row.items()
                if key not in COUNTERS and value is not None
            }
            with naming(self._out):
                self._events.scalars(last, figures)
