"""What a network costs: Silicon Labs MLTK's profile and bounds from the cores' ceilings."""
