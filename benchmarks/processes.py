"""Two Horovod processes with one thread each beside one process with two, on the same global batch.

    python -m benchmarks.processes [--model resnet50_glore_2_3] [--batch 32]

Launches take turns; in each the trainer's own step is taken on random pictures at 224x224 and the
median over its steps, the first two left out, is its figure. With two processes the gradients
travel too: what compression to float16 and reducing them in groups change is measured beside.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

from gluon_glore.utils.cpu import prepare_cpu

from .paired import machine, write_result

COMPETITORS = {  # processes, options of the config's section horovod
    "one process": (1, {}),
    "two processes": (2, {}),
    "two, fp16": (2, {"compression": "fp16"}),
    "two, in 4 groups": (2, {"groups": 4}),
}
TARGET = 0.95  # the claim at batch 32: images a second of two processes / of one
WARMUP = 2


def work(model, batch, steps, horovod):
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
    share = batch // comm.size
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


def launch(processes, options, threads):
    """Median seconds of a step in one launch."""
    command = [sys.executable, "-m", "benchmarks.processes", "--worker", json.dumps(options)]
    if processes > 1:
        beside = Path(sys.executable).parent
        run = shutil.which("horovodrun", path=f"{beside}:{os.environ['PATH']}")
        command = [run, "-np", str(processes), *command]
    environment = dict(os.environ, OMP_NUM_THREADS=str(threads // processes))
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    lines = [line for line in done.stdout.splitlines() if "seconds" in line]
    if done.returncode or not lines:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")
    return float(lines[-1].split()[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="resnet50_glore_2_3")
    parser.add_argument("--batch", type=int, default=32, help="of all processes together (32)")
    parser.add_argument("--steps", type=int, default=3, help="in a launch (3)")
    parser.add_argument("--rounds", type=int, default=3, help="launches of each (3)")
    parser.add_argument("--threads", type=int, default=2, help="of all processes together (2)")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        return work(**json.loads(args.worker))

    prepare_cpu()
    seconds = {name: [] for name in COMPETITORS}
    for _ in range(args.rounds):
        for name, (processes, horovod) in COMPETITORS.items():
            options = {
                "model": args.model,
                "batch": args.batch,
                "steps": args.steps,
                "horovod": horovod,
            }
            seconds[name].append(launch(processes, options, args.threads))
    speed = {name: args.batch / statistics.median(values) for name, values in seconds.items()}
    for name, value in speed.items():
        share = value / speed["one process"]
        print(f"{name:18} {value:6.2f} images/s  {share:.2f}")
    result = {
        **{key: value for key, value in vars(args).items() if key != "worker"},
        "machine": machine(args.threads),
        "images_per_second": speed,
    }
    print(write_result(f"processes_batch{args.batch}", result))


if __name__ == "__main__":
    main()
