"""What every layer stands on: errors, settings, ceilings, clock, ids, secrets, log. Imports nothing of ours."""
