"""What people change of sessions: names, tags, notes, stars, projects, the archive, the bin; and taking it back."""
