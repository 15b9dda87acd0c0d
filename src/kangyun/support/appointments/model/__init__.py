"""The nouns of appointments, and their shapes in FHIR."""

from kangyun.base.web.display import CHINA
from kangyun.support.appointments.model.nouns import (
    ACTIVE,
    Booking,
    Channel,
    Department,
    Departure,
    Found,
    Kind,
    Number,
    Offer,
    Part,
    Place,
    Schedule,
    Sitting,
    Template,
    Whom,
    Wish,
)
from kangyun.support.appointments.model.shapes import (
    HELD_UNTIL,
    appointment,
    appointment_of,
    channel_of,
    followed,
    healthcare_service,
    number_of,
    schedule_resource,
    slot,
    substituted,
)

__all__ = [
    "ACTIVE", "CHINA", "HELD_UNTIL", "Booking", "Channel", "Department", "Departure", "Found", "Kind", "Number", "Offer", "Part", "Place", "Schedule", "Sitting",
    "Template", "Whom", "Wish", "appointment", "appointment_of", "channel_of", "followed", "healthcare_service", "number_of", "schedule_resource", "slot", "substituted",
]
