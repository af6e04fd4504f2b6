"""Encoders with a head that read a passage and a question: yes or no, or the words of the passage that answer it."""
