"""Validate a batch of records and apply it once, in one transaction. All writes of training data come through here."""
