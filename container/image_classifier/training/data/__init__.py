"""The job's images: channels, splits, decoding, augmentation and batches."""
