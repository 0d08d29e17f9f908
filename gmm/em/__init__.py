"""What EM learns, what it climbs, where it starts, and the functions of a fitted mixture."""
