"""Services that several kinds of care use: institutions; later drugs, devices, insurance, payments."""
