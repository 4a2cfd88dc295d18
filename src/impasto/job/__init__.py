"""What one picture's work is: its pictures, its memory, its run, its record."""
