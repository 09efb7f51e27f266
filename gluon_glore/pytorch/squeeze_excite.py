"""Squeeze-and-excitation (Hu et al., CVPR 2018, https://arxiv.org/abs/1709.01507)."""

import torch
import torch.nn.functional as F


def scale_channels(x, fc1, fc2):
    """x scaled by sigmoid(fc2(relu(fc1(average of x)))): `(B, C, *space)` in and out."""
    weight = torch.sigmoid(fc2(F.relu(fc1(x.flatten(2).mean(2)), inplace=True)))
    return x * weight[(...,) + (None,) * (x.dim() - 2)]
