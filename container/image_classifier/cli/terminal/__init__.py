"""Terminal output of the commands: progress, summaries, request lines."""
