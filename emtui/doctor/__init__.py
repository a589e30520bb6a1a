"""`emtui doctor`: what works here, what does not, and what to do about it. Nothing that it looks at is changed.

`case` is what is examined, `checks` what a look gives; one module for each subject looks; `examination` has them all
look, bounded in time; `report` is how it is told.
"""
