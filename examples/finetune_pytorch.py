"""Fine-tune a network of the zoo in PyTorch on pictures of your own, and publish it into a zoo.

    python examples/finetune_pytorch.py pictures/train pictures/val --out zoo --name mine

Each folder of pictures has a folder a class, or it is a list (docs/data.md). Gluon and PyTorch
load the result: get_model("mine", pretrained="zoo/mine-1a2b3c4d"). A GPU is used if there is one.
"""

import sys
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch.utils.data import DataLoader, Dataset

from gluon_glore.data.accuracy import read_input
from gluon_glore.data.labelled_pictures import open_pictures
from gluon_glore.pytorch import get_model, publish
from gluon_glore.utils.arguments import ArgumentParser, finite, not_negative, positive_int
from gluon_glore.utils.command import exit_code
from gluon_glore.weights.card import Card


class Pictures(Dataset):
    """Labelled pictures as a network takes them: ((C, H, W), class)."""

    def __init__(self, pictures, preprocess):
        self.pictures, self.preprocess = pictures, preprocess

    def __len__(self):
        return len(self.pictures)

    def __getitem__(self, i):
        return read_input(self.pictures, i, self.preprocess)


def train(net, batches, optimizer, schedule, device):
    """One epoch; returns its mean loss."""
    net.train()
    total = seen = 0
    for x, y in batches:
        x, y = x.to(device, non_blocking=True), y.to(device, non_blocking=True)
        loss = F.cross_entropy(net(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        total, seen = total + loss.item() * len(y), seen + len(y)
    return total / seen


@torch.inference_mode()
def accuracy(net, batches, device):
    """The share of pictures whose class the network names."""
    net.eval()
    right = [(net(x.to(device)).argmax(1).cpu() == y) for x, y in batches]
    return torch.cat(right).float().mean().item()


def decayed(net, weight_decay):
    """Parameter groups: kernels decay, BatchNorm's parameters and biases do not."""
    kernels = [p for p in net.parameters() if p.ndim > 1]
    others = [p for p in net.parameters() if p.ndim == 1]
    return [{"params": kernels, "weight_decay": weight_decay}, {"params": others}]


def finetune(args):
    """Train, say each epoch's loss and accuracy, publish; returns the entry's folder."""
    torch.manual_seed(args.seed)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    pictures = open_pictures(args.train)
    names = pictures.class_names
    net = get_model(args.model, len(names), args.weights, device)
    if args.resize is not None:
        net.preprocess = replace(net.preprocess, resize=args.resize)
    seen = Pictures(pictures, net.preprocess)
    unseen = Pictures(open_pictures(args.val, names), net.preprocess)
    seen[0], unseen[0]  # pictures of a size that won't do are refused here
    options = {"num_workers": args.workers, "pin_memory": device == "cuda"}
    batches = DataLoader(seen, args.batch, shuffle=True, drop_last=True, **options)
    test_batches = DataLoader(unseen, args.batch, **options)
    parameters = decayed(net, 1e-4)
    optimizer = torch.optim.SGD(parameters, args.lr, momentum=0.9, nesterov=True)
    steps = args.epochs * len(batches)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, args.lr, steps)
    for epoch in range(1, args.epochs + 1):
        loss = train(net, batches, optimizer, schedule, device)
        top1 = accuracy(net, test_batches, device)
        print(f"epoch {epoch}: loss {loss:.4f}, accuracy {top1:.4f}", flush=True)
    card = Card(f"{args.model}, fine-tuned in PyTorch", origin=args.origin, licence=args.licence)
    return publish(net, args.out, args.name, names, args.val, card)


def parse(arguments=None):
    """The options of the command line."""
    parser = ArgumentParser(description="Fine-tune a network of the zoo in PyTorch.")
    parser.add_argument("train", help="pictures to train on: a folder of class folders, or a list")
    parser.add_argument("val", help="pictures to measure the accuracy on")
    parser.add_argument("--model", default="tiny_glore_0_1", help="a network's name (%(default)s)")
    parser.add_argument("--weights", default=True, help="as get_model's pretrained (the zoo's)")
    parser.add_argument("--out", required=True, metavar="ZOO", help="folder of entries")
    parser.add_argument("--name", required=True, help="of the entry")
    parser.add_argument("--epochs", type=positive_int, default=10)
    parser.add_argument("--batch", type=positive_int, default=32)
    parser.add_argument("--lr", type=finite, default=0.02)
    parser.add_argument("--resize", type=not_negative, help="short side, 0: none (the weights')")
    parser.add_argument("--seed", type=not_negative, default=0)
    parser.add_argument("--workers", type=not_negative, default=2, help="processes that read")
    parser.add_argument("--origin", default="not said", help="who made the weights")
    parser.add_argument("--licence", default="not said")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(exit_code(lambda: print(f"published: {finetune(parse())}")))
