"""The type of the keys that a header may be verified with.

Input: the published keys of an edge, or the keys of one origin. Output: `KeySet`, the type of both.
"""

from typing import TypeAlias

from fastgate.keys.jwks import PublicKeys
from fastgate.keys.origin import OriginKeys

KeySet: TypeAlias = PublicKeys | OriginKeys
"""Keys by `kid`, all for one algorithm: published keys for ES256, or an origin's for HS256."""
