"""Exchange: messages of other systems become records; what arrived is kept, acknowledged and never lost."""
