"""Where people come in: each portal composes the rooms below it for one kind of person."""
