"""Ids and paths that the requests use."""

ORDER = {"item": "tea", "quantity": 2}
LANTERN = "7f0c2b1e-5a64-4f0e-9d3b-2c8a51e6d904"
