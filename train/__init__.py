"""Trainers on Horovod. Importing this package gives each process its share of the cores."""

from gluon_glore.threads import use_cores

use_cores()  # here, because MXNet reads its threads when it is first imported
