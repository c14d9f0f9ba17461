"""Send forged requests to a running origin and report which of them it accepted."""
