"""The commands of `fastgate`, one module for each topic."""
