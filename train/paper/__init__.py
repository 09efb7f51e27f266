"""The commands that write docs/: studies, tables and figures of the paper."""
