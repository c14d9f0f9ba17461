"""A chat: WebSockets for messages, GraphQL for rooms."""
