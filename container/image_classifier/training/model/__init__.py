"""The network: a backbone from the Hub or an earlier job, and the head on it."""
