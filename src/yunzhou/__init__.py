"""Yunzhou 云州: a made-up city that speaks to a health platform from outside, through public protocols only."""
