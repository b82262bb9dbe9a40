"""Lists of the admin that open equally fast however many rows there are, for all apps."""
