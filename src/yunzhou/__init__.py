"""Yunzhou 云州: a simulated city that speaks to the platform from outside."""
