"""Systems of others, each with its pinned requirements beside it, which share nothing with Duet but the protocol."""
