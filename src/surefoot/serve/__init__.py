"""An OpenAI-compatible server of treated models."""
