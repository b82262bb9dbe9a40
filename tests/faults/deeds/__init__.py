"""An app of the sites that the faults break: its tools do things that can be counted."""
