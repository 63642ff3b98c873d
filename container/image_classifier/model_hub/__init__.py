"""Where backbones come from and how they become the model channel's archive."""
