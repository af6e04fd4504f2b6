"""How a chain of thought says which of its sentences has the answer."""

MARKER = r"answer is"
"""A regular expression, looked for without regard to case."""
