"""Lines to other systems that we call: MLLP."""
