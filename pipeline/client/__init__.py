"""What a client does: submits episodes, follows jobs and batches, tries again, removes."""
