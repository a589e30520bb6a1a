"""Pods as containers: `container` is what is asked for, `supervisor` looks after it, `states` tells what it is."""
