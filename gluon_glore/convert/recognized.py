"""What the readers of other people's files return."""

from dataclasses import dataclass
from typing import Dict, Tuple

import numpy as np

from ..plan.spec import NetSpec


@dataclass(frozen=True)
class Recognized:
    """A network found in a file of somebody else's: its spec, and parameters by our names."""

    spec: NetSpec  # name "": the caller names it
    arrays: Dict[str, np.ndarray]
    notes: Tuple[str, ...] = ()  # what was left out or changed on the way, a line each

    @property
    def classes(self) -> int:
        """How many classes its classifier has."""
        return self.spec.classes
