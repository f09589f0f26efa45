"""What each plan node does to columns and rows, one module for each group of nodes. `dispatch.py` holds the table of them all."""
