"""From the catalogue to what searches read: documents, columns, followers, snapshots."""
