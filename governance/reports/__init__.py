"""What officers look at: reports and timelines over all rooms."""
