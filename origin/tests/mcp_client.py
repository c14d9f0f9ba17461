"""The official client of MCP, unmodified, with what it stores and what it has sent, for tests."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import parse_qs

import httpx2
from mcp import Client
from mcp.client.auth.extensions.client_credentials import ClientCredentialsOAuthProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import OAuthClientInformationFull, OAuthToken

from tests.dev_session import Session


@dataclass
class Storage:
    """The tokens of a client, in memory."""

    tokens: OAuthToken | None = None

    async def get_tokens(self) -> OAuthToken | None:
        """Return the present ones."""
        return self.tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        """Keep new ones."""
        self.tokens = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        """Return nothing: the client is registered already."""
        return None

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        """Keep nothing."""


@dataclass
class Exchanges:
    """What was sent, and how it was answered."""

    answers: list[tuple[str, str, int]] = field(default_factory=list)
    """The method, the URL and the status of each request."""
    challenges: list[str] = field(default_factory=list)
    grants: list[dict[str, list[str]]] = field(default_factory=list)
    """The forms that were sent to the token endpoint."""

    async def note(self, response: httpx2.Response) -> None:
        """Note one."""
        request = response.request
        self.answers.append((request.method, str(request.url), response.status_code))
        if challenge := response.headers.get("www-authenticate"):
            self.challenges.append(challenge)
        if request.url.path.endswith("/token"):
            self.grants.append(parse_qs(request.content.decode()))


@asynccontextmanager
async def registered_client(
    session: Session, issuer: str = "dev"
) -> AsyncIterator[tuple[Client, Exchanges]]:
    """Connect a client that gets its tokens from the development provider, as it needs them."""
    url, exchanges = f"{session.edge}/mcp", Exchanges()
    auth = ClientCredentialsOAuthProvider(
        url,
        Storage(),
        "fastgate-dev",
        "fastgate-dev-secret",
        issuer=f"http://127.0.0.1:{session.provider_port}/{issuer}",
    )
    hooks = {"response": [exchanges.note]}
    async with (
        httpx2.AsyncClient(auth=auth, event_hooks=hooks, timeout=60) as http,
        Client(streamable_http_client(url, http_client=http)) as client,
    ):
        yield client, exchanges


@asynccontextmanager
async def client_with(session: Session, token: str, mode: str = "auto") -> AsyncIterator[Client]:
    """Connect a client that has a token already."""
    fields = {"authorization": f"Bearer {token}"}
    async with (
        httpx2.AsyncClient(headers=fields, timeout=60) as http,
        Client(
            streamable_http_client(f"{session.edge}/mcp", http_client=http), mode=mode
        ) as client,
    ):
        yield client
