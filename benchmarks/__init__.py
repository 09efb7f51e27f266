"""Speed and memory, side by side: each file measures one claim and writes benchmarks/results/."""
