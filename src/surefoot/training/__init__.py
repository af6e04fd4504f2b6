"""Training: one `fit`, the losses, and the trainable parts that treatments share. Knows nothing of tasks."""
