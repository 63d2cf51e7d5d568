"""Many runs: what they are, how they are chosen, and what carries them out."""

#: Ends the name of a model's settings with options beyond the paper: "hyperml+".
BEYOND = "+"
