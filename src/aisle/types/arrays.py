"""Arrays by ord, and the mapping that holds nothing."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Ords: TypeAlias = NDArray[np.int32]


Scores: TypeAlias = NDArray[np.float32]


Vectors: TypeAlias = NDArray[np.float32]


NOTHING: Mapping[str, Any] = MappingProxyType({})
