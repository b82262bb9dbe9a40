"""Making a reply, and showing it while it grows."""
