"""What a shell offers for the word that is being typed: names of the profile, quickly, and never with an error."""
