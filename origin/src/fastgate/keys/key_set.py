"""The keys that a header may be verified with.

In: the published keys of an edge, or the keys of one origin. Out: `KeySet`, the type of either.
"""

from typing import TypeAlias

from fastgate.keys.jwks import PublicKeys
from fastgate.keys.origin import OriginKeys

KeySet: TypeAlias = PublicKeys | OriginKeys
"""Keys by `kid`, all for one algorithm: the published ones for ES256, or an origin's for HS256."""
