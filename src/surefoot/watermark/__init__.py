"""A red-list watermark in generated text: keys, the rule that writes it, the detector that finds it without the model.

`new_key` and `read_key` give a key, `Detector` counts, `scan` looks for a marked span, `detect_file` reads files of any
size; `theory` has the paper's formulas, `attacks` the edits that weaken a mark. The treatment `watermark` writes it.
"""

from __future__ import annotations

from surefoot.watermark.detect import Count, Detector
from surefoot.watermark.key import Key, new_key, read_key
from surefoot.watermark.scan import scan
from surefoot.watermark.scheme import Scheme
from surefoot.watermark.stream import detect_file
from surefoot.watermark.tokens import tokens_of

__all__ = ["Count", "Detector", "Key", "Scheme", "detect_file", "new_key", "read_key", "scan", "tokens_of"]
