"""Assertions of other gateways, for apps that are not behind Fastgate yet."""
