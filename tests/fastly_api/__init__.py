"""A stand-in for Fastly's API: services, stores, ACLs, packages and purges, in memory.

`README.md` says how to start it, what it refuses, and which answers were confirmed.
"""
