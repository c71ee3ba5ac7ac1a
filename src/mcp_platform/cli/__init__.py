"""The command line. Changes nothing itself: asks control through the local socket, or starts the supervisor."""
