"""Questions that take many trainings: which of two settings is better, what decay and dropout do."""
