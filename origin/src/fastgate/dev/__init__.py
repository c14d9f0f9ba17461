"""`fastgate dev`: an app, the edge in front of it and a provider, on one machine.

The modules, in the order in which a start uses them: `session` starts and joins everything,
`compile_app` compiles the policy in a process of its own, `local_policy` says how a policy differs
on this machine, `edge_process` runs the local edge, `served_app` is what uvicorn serves.
"""
