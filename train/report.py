"""What a run tells: a progress bar, metrics.jsonl, the last figures for summary.json."""

import json
import sys

from tqdm import tqdm


class Lines:
    """A stream for a bar where there is no terminal: each state is a line of its own."""

    def __init__(self, stream):
        self._stream = stream

    def write(self, text):
        if text.strip():
            self._stream.write(text.strip() + "\n")

    def flush(self):
        self._stream.flush()


class Reporter:
    """Rank 0 writes `out/metrics.jsonl` and draws the bar on stderr; the others only keep count.

    `top1` and `images_per_second` are the last evaluation's and the mean over the logged steps,
    evaluation left out.
    """

    def __init__(self, out, comm, epochs, steps_per_epoch, first_epoch):
        self.top1 = None
        self._samples, self._seconds = 0, 0.0
        self._steps_per_epoch = steps_per_epoch
        self._metrics = self._bar = None
        if comm.rank == 0:
            out.mkdir(parents=True, exist_ok=True)
            self._metrics = out / "metrics.jsonl"
            terminal = sys.stderr.isatty()
            self._bar = tqdm(
                total=epochs * steps_per_epoch,
                initial=first_epoch * steps_per_epoch,
                unit="step",
                file=sys.stderr if terminal else Lines(sys.stderr),
                dynamic_ncols=terminal,
                mininterval=0.2 if terminal else 10,
            )

    def __enter__(self):
        return self

    def __exit__(self, *error):
        if self._bar is not None:
            self._bar.close()

    @property
    def images_per_second(self):
        """Images a second over all ranks, None where nothing was trained."""
        return self._samples / self._seconds if self._seconds else None

    def train(self, step, lr, meter):
        """After training step `step` of the run, counted from 0."""
        self._samples += meter.samples
        self._seconds += meter.seconds
        speed = meter.images_per_second
        self._write(
            kind="train",
            epoch=step // self._steps_per_epoch,
            step=step,
            lr=lr,
            loss=meter.loss,
            top1=meter.top1,
            images_per_second=speed,
        )
        if self._bar is not None:
            text = f"loss {meter.loss:.3f}, top-1 {meter.top1:.3f}, {speed:.0f} images/s"
            self._bar.set_postfix_str(text, refresh=False)
            self._bar.update(step + 1 - self._bar.n)

    def evaluation(self, epoch, meter):
        """After an evaluation at the end of `epoch`, counted from 0."""
        self.top1 = meter.top1
        self._write(
            kind="eval", epoch=epoch, loss=meter.loss, top1=meter.top1, samples=meter.samples
        )
        if self._bar is not None:
            text = f"epoch {epoch + 1}: test loss {meter.loss:.4f}, top-1 {meter.top1:.4f}"
            self._bar.write(text, file=sys.stderr)

    def _write(self, **row):
        if self._metrics is not None:
            with open(self._metrics, "a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
