"""Trainers on Horovod. Importing this package gives each process its share of the cores."""

from gluon_glore.utils.cpu import prepare_cpu

prepare_cpu()  # here, because MXNet reads its threads when it is first imported
