"""Distillation: a network learns what another one says of the same pixels.

G. Hinton, O. Vinyals, J. Dean, "Distilling the Knowledge in a Neural Network", 2015,
https://arxiv.org/abs/1503.02531.
"""

import dataclasses
import sys

import mxnet as mx

from gluon_glore.model_zoo.load import make_network
from gluon_glore.model_zoo.network_weights import fill_network, found_spec
from gluon_glore.model_zoo.open_network import refuse_others
from gluon_glore.utils.errors import InputError
from gluon_glore.utils.files import sha256
from gluon_glore.weights.manifest import clip_of, labels_pixels

from .pretrained import alike, find_pretrained


def check_teacher(config, manifest, comm):
    """The `distill` section of a configuration, with the sha256 of its teacher's weights.

    `manifest` is that of the run. Rank 0 says who teaches. Raises InputError where there are no
    such weights, they are not those of `distill.sha256`, or the teacher sees other pixels or tells
    other classes apart than the run.
    """
    found, filling, digest = _open_teacher(config)
    title = f"distill.teacher {found.params} ({found.manifest.model})"
    note = _refuse_others(title, found.manifest, filling.classes, manifest)
    if comm.rank == 0:
        print(f"learns from {title}, sha256 {digest[:8]}{note}", file=sys.stderr, flush=True)
    return dataclasses.replace(config.distill, sha256=digest)


def load_teacher(config, net, comm):
    """The teacher of a configuration as a function of pixels to logits, where `net` lies.

    It is a network of its own: neither trained nor saved. All ranks call this. Raises InputError as
    `check_teacher` does, and where the ranks do not have the same teacher.
    """
    _, filling, digest = _open_teacher(config)
    comm.agree("weights of distill.teacher", int(digest[:6], 16))
    ctx = next(iter(net.collect_params().values())).list_ctx()[0]
    teacher = make_network(filling, ctx)
    teacher.hybridize(static_alloc=True, static_shape=True)
    return teacher


def distilled(loss, weight, temperature):
    """A loss of `logits (B, C)` and `(targets, the teacher's logits (B, C))`: losses `(B,)`.

    `weight` of it is the cross entropy of the two softmaxes of logits / `temperature`, times the
    temperature's square, which leaves its gradients as large as at temperature 1; the rest is
    `loss(logits, targets)`.
    """

    def joint(logits, targets):
        labels, taught = targets
        z = logits.astype("float32", copy=False) / temperature
        soft = mx.nd.softmax(taught.astype("float32", copy=False) / temperature)
        theirs = -(temperature**2) * (soft * mx.nd.log_softmax(z)).sum(axis=1)
        return theirs if weight == 1 else (1 - weight) * loss(logits, labels) + weight * theirs

    return joint


def _open_teacher(config):
    """(Found, Filling, sha256) of a configuration's teacher. Raises InputError where none is."""
    distill = config.distill
    try:
        found = find_pretrained(dataclasses.replace(config.model, pretrained=distill.teacher))
        if found.manifest is None:
            raise InputError(f"{found.params}: no manifest says what its network is and sees")
        refuse_others(found.manifest)
        filling = fill_network(found_spec(found.manifest.model, found), found)
    except InputError as error:
        raise InputError(f"config key distill.teacher: {error}") from None
    digest = sha256(found.params)
    if distill.sha256 not in ("", digest):
        raise InputError(
            f"config key distill.sha256 is {distill.sha256[:8]}..., the weights of distill.teacher "
            f"{found.params} have {digest[:8]}...: give the teacher that the run had"
        )
    return found, filling, digest


def _refuse_others(title, theirs, classes, ours):
    """Raise InputError where a teacher's manifest is not of the run's pixels and classes.

    Returns what is to be said of its classes.
    """
    if labels_pixels(theirs):
        raise InputError(f"{title} labels pixels, this run's network does not")
    seen, sees = theirs.preprocess, ours.preprocess
    for what, its, own in (
        ("channels", seen.channels, sees.channels),
        ("pixels (height, width)", tuple(seen.size), tuple(sees.size)),
        ("clips", *(clip.text if clip else "none" for clip in map(clip_of, (theirs, ours)))),
        ("classes", classes, len(ours.class_names)),
    ):
        if its != own:
            raise InputError(f"{title}: its {what} are {its}, the run's {own}: they must agree")
    if not alike(seen, sees):
        raise InputError(
            f"{title} saw {seen.formula}, this run shows {sees.formula}: they must agree"
        )
    names = [tuple(manifest.class_names) for manifest in (theirs, ours)]
    if names[0] == names[1]:
        return ""
    numbers = tuple(map(str, range(classes)))
    if numbers in names:
        whose = "its" if names[0] == numbers else "the run's"
        return f"; {whose} classes have numbers, no names: they are taken in their order"
    number, (its, own) = next((i, p) for i, p in enumerate(zip(*names)) if p[0] != p[1])
    raise InputError(
        f"{title}: its class {number} is {its}, the run's {own}: names and order must agree"
    )
