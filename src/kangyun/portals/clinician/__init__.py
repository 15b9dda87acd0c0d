"""The doctor's workstation: find a resident, see a whole life at a glance."""
