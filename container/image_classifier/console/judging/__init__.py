"""The logic of the Result screen, without Flask: results that open again, decisions, refits and comparisons."""
