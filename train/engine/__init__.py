"""One trainer for every task: its loop, step, optimizer, processes and checkpoints."""
