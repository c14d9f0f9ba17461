"""The steps of the guard for one request, besides the verification of its header."""
