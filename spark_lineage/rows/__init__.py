"""Row provenance: which source rows made an output row. A recorded plan, rewritten so that its rows carry where they come from."""
