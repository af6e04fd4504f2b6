"""Before and after on the same items: is there a difference, in mean, in spread, in the worst wording?"""

from __future__ import annotations

from surefoot.comparison.comparing import compare, compare_runs
from surefoot.comparison.result import Comparison

__all__ = ["Comparison", "compare", "compare_runs"]
