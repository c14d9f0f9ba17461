"""Malformed members of `rctx`: what a token says of its caller, in a form that no edge writes.

Input: a `Mint`. Output: its `Probe`s, each with one malformed member. An origin that lets one in
does not check what its app reads as roles, groups, tenant, claims, sign-in, session or key; or, in
a header for a stored response, whether the app learns more than the callers share.
"""

from collections.abc import Iterator

from fastgate.doctor.probe import Fields, Mint, Probe

_THUMBPRINT = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"
"""A SHA-256 in base64url (RFC 7638)."""

_WRONG: dict[str, dict[str, object]] = {
    "roles": {
        "as a string": "admin",
        "with a number": ["admin", 1],
        "as an object": {"admin": True},
        "as an empty list": [],
        "as null": None,
    },
    "groups": {"as a string": "staff", "with a list": [["staff"]], "as null": None},
    "tenant": {"as a list": ["acme"], "as a number": 7, "as an empty string": "", "as null": None},
    "claims": {
        "as a list": [{"email": "a@b.example"}],
        "as a string": "{}",
        "as an empty object": {},
        "with an empty name": {"": 1},
        "as null": None,
    },
    "auth_time": {
        "in quotes": "1700000000",
        "as true": True,
        "with a fraction": 1_700_000_000.5,
        "below zero": -1,
        "beyond 2^53": 2**53,
    },
    "acr": {"as a list": ["urn:mfa"], "as a number": 1, "as an empty string": ""},
    "sid": {"as a list": ["s-1"], "as a number": 1, "as an empty string": ""},
    "region": {"as a list": ["eu"], "as a number": 1, "as an empty string": "", "as null": None},
    "cnf": {
        "as a string": _THUMBPRINT,
        "as an empty object": {},
        "without a known member": {"kid": "k"},
        "with a short thumbprint": {"jkt": _THUMBPRINT[:-1]},
        "with a thumbprint in a list": {"jkt": [_THUMBPRINT]},
        "with a certificate that is none": {"jkt": _THUMBPRINT, "x5t#S256": "forged"},
    },
    "token_exp": {"in quotes": "1900000000", "as true": True, "as zero": 0},
    "client_id": {"as a list": ["shop"], "as an empty string": ""},
}
"""Malformed values, by member of `rctx` and by name."""


def wrong_members_of_the_caller(mint: Mint) -> Iterator[Probe]:
    """Yield a probe for each malformed member, and for each member of an anonymous caller."""
    rctx = mint.claims["rctx"]
    known = rctx if isinstance(rctx, dict) else {}
    for member, values in _WRONG.items():
        for name, value in values.items():
            yield Probe(f"{member} {name}", mint.field(rctx={**known, member: value}))
    valid: dict[str, object] = {
        "roles": ["admin"],
        "groups": [],
        "tenant": "acme",
        "claims": {"email": "a@b.example"},
        "auth_time": 1_700_000_000,
        "acr": "urn:mfa",
        "sid": "s-1",
        "cnf": {"jkt": _THUMBPRINT},
    }
    for member, value in valid.items():
        anonymous = mint.field(sub=..., scope="", rctx={member: value})
        yield Probe(f"{member} of an anonymous caller", anonymous)


def wrong_shared_responses(mint: Mint) -> Iterator[Probe]:
    """Yield a probe for each contradiction between `tctx.shared` and the caller."""
    issuer = {"iss": mint.claims["iss"]}
    anyone: dict[str, object] = {"sub": ..., "scope": "", "rctx": {}}
    known = {**anyone, "rctx": issuer}

    def about(shared: object, claims: dict[str, object], **tctx: object) -> Fields:
        return mint.field(**claims, tctx={**mint.tctx, **tctx, "shared": shared})

    for form, shared in {"null": None, "a string": "tenant", "a list of numbers": [1]}.items():
        yield Probe(f"an audience as {form}", about(shared, anyone))
    beyond: dict[str, dict[str, object]] = {
        "a subject": {"sub": "doctor"},
        "roles": {"rctx": {**issuer, "roles": ["admin"]}},
        "a country": {"rctx": {**issuer, "country": "DE"}},
    }
    for name, more in beyond.items():
        fields = about(["tenant"], {**known, **more})
        yield Probe(f"{name} that the audience does not share", fields)
    yield Probe("an audience of one caller without a subject", about(["caller"], known))
    yield Probe("an audience with groups in common, without them", about(["groups"], known))
    yield Probe("an audience with a claim in common, without it", about(["claim:plan"], known))
    yield Probe("an issuer in a response for all callers", about([], known))
    scopes = about(["tenant"], {**anyone, "scope": "doctor"})
    yield Probe("scopes of an anonymous caller of an audience", scopes)
    yield Probe("an audience by POST", about([], anyone, method="POST"), method="POST")
