"""Where a head lies in the image and how it is turned, found from skin and bone alone, without the network.

Head coordinates are mm to the right, anterior and superior in an average head; the tip of its nose lies near (0, -6, 24).
"""
