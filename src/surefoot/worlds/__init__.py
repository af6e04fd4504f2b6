"""Worlds: generators whose truth is known exactly, without any model."""
