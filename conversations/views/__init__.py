"""What can be done on the pages. Every view finds, acts, and answers."""
