"""The pages that are generated from declarations."""
