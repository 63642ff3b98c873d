"""Class folders: what lies in a channel, which files are images, and what is wrong with it. No image is decoded."""
