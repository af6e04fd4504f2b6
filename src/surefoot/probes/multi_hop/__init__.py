"""The multi-hop probe: answers to questions that take several documents, and which of those a model had before it."""
