"""The commands of `python -m fastgate`, one module for each topic."""
