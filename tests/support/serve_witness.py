"""Serve `witness:app` on a free port, which is printed first: `{"port": 40123}`.

The socket listens before its port is known to anybody, so no other program can take it.
"""

import json
import socket
import sys

import uvicorn

listening = socket.create_server(("127.0.0.1", 0))
print(json.dumps({"port": listening.getsockname()[1]}), flush=True)
config = uvicorn.Config("witness:app", http=sys.argv[1], log_level="warning", access_log=False)
uvicorn.Server(config).run(sockets=[listening])
