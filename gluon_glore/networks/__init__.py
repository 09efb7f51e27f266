"""Networks: rows by name, the HybridBlock of one, the graph of a symbol file, and their cost."""
