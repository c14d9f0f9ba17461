"""The MCP servers of an app: their tools, resources and prompts, and the rules of these."""
