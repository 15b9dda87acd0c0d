"""Doors to other systems that push messages to us: MLLP connections and a watched folder."""
