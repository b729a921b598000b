"""Opening what strangers or accidents may have written: one boundary, and readers with bounds."""
