"""Two Horovod processes with one thread each beside one process with two, on the same global batch.

    python -m benchmarks.processes [--model resnet50_glore_2_3] [--batch 32]

Launches take turns; in each the trainer's own step is taken on random pictures at 224x224 and the
median over its steps, the first two left out, is its figure; speeds are compared within a round.
Two processes that know nothing of each other are what exchanging gradients could reach at best.
What Horovod's own cycle, cores that are not bound, compression to float16 and reducing in groups
change is measured beside.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from gluon_glore.utils.cpu import prepare_cpu

from .paired import machine, median_of, write_result


@dataclass(frozen=True)
class Competitor:
    """So many processes, of Horovod where not `alone`.

    `horovod` are options of that section of the config, `environment` is theirs beside.
    """

    processes: int
    alone: bool = False
    horovod: dict = field(default_factory=dict)
    environment: dict = field(default_factory=dict)


ONE, TWO = "one process", "two processes"
COMPETITORS = {
    ONE: Competitor(1, alone=True),
    "two, each alone": Competitor(2, alone=True),
    TWO: Competitor(2),
    "two, not bound to cores": Competitor(2, environment={"GLORE_PIN": "0"}),
    "two, cycle of 1 ms": Competitor(2, horovod={"cycle_ms": 1.0}),
    "two, fp16": Competitor(2, horovod={"compression": "fp16"}),
    "two, in 100 groups": Competitor(2, horovod={"groups": 100}),
}
TARGET = 0.97  # the claim at batch 32: images a second of two processes / of one
WARMUP = 2


def work(model, share, steps, horovod):
    """Take steps as the trainer does; rank 0 prints the median seconds of one."""
    import mxnet as mx

    from gluon_glore import get_model
    from train.config.sections import Config, Horovod
    from train.engine.comm import make_comm
    from train.engine.optimizer import make_optimizer
    from train.engine.step import make_step

    config = Config(horovod=Horovod(**horovod))
    comm = make_comm(config.horovod)
    net = get_model(model)
    net.initialize()
    trainer = comm.trainer(net.collect_params(), make_optimizer(config.optim))
    net.hybridize(static_alloc=True, static_shape=True)
    take = make_step(config, net, comm)
    x = mx.nd.random.normal(shape=(share, net.spec.in_channels, *net.spec.input_size))
    y = mx.nd.zeros(share)
    seconds = []
    for step in range(WARMUP + steps):
        start = time.perf_counter()
        take(net, trainer, x, y, step)
        mx.nd.waitall()
        seconds.append(time.perf_counter() - start)
    if comm.rank == 0:
        print(f"\nseconds {statistics.median(seconds[WARMUP:])}", flush=True)
    comm.shutdown()


def launch(competitor, options, threads):
    """Median seconds of a step in one launch, of the slowest of processes that are alone.

    Raises RuntimeError where one fails.
    """
    count = competitor.processes
    options = {**options, "share": options["batch"] // count, "horovod": competitor.horovod}
    del options["batch"]
    command = [sys.executable, "-m", "benchmarks.processes", "--worker", json.dumps(options)]
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads // count)}
    environment.update(competitor.environment)
    if not competitor.alone:
        beside = Path(sys.executable).parent
        run = shutil.which("horovodrun", path=f"{beside}:{os.environ['PATH']}")
        command = [run, "-np", str(count), *command]
    own = [{}]
    if competitor.alone and count > 1:  # bound to cores as Horovod's are, see `prepare_cpu`
        local = {"OMPI_COMM_WORLD_LOCAL_SIZE": str(count)}
        own = [{**local, "OMPI_COMM_WORLD_LOCAL_RANK": str(rank)} for rank in range(count)]
    started = [
        subprocess.Popen(
            command,
            env={**environment, **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for variables in own
    ]
    seconds = []
    for process in started:
        out, errors = process.communicate()
        lines = [line for line in out.splitlines() if "seconds" in line]
        if process.returncode or not lines:
            raise RuntimeError(f"{' '.join(command)} failed:\n{errors[-2000:]}")
        seconds.append(float(lines[-1].split()[-1]))
    return max(seconds)


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="resnet50_glore_2_3")
    parser.add_argument("--batch", type=int, default=32, help="of all processes together (32)")
    parser.add_argument("--steps", type=int, default=3, help="in a launch (3)")
    parser.add_argument("--rounds", type=int, default=7, help="launches of each (7)")
    parser.add_argument("--threads", type=int, default=2, help="of all processes together (2)")
    parser.add_argument(
        "--only", nargs="+", choices=COMPETITORS, default=list(COMPETITORS), help="(all)"
    )
    parser.add_argument("--out", help="folder for the result (benchmarks/results)")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    if args.worker:
        return work(**json.loads(args.worker))

    prepare_cpu()
    names = [ONE, *(name for name in args.only if name != ONE)]  # all are compared with it
    options = {"model": args.model, "batch": args.batch, "steps": args.steps}
    seconds = {name: [] for name in names}
    for _ in range(args.rounds):
        for name in names:
            seconds[name].append(launch(COMPETITORS[name], options, args.threads))
    speed = {name: args.batch / statistics.median(values) for name, values in seconds.items()}
    shares = {
        name: median_of(lambda one, own: one / own, seconds[ONE], seconds[name]) for name in names
    }
    for name in names:
        print(f"{name:24} {speed[name]:6.2f} images/s  {shares[name]:.2f} (target {TARGET})")
    result = {
        "model": args.model,
        "batch": args.batch,
        "steps": args.steps,
        "rounds": args.rounds,
        "machine": machine(args.threads),
        "images_per_second": speed,
        "over_one_process": shares,
    }
    print(write_result(f"processes_batch{args.batch}", result, args.out))


if __name__ == "__main__":
    main()
