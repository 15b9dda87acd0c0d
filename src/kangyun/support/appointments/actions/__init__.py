"""What changes the pool: schedules and their days, bookings, and the queue of the day."""
