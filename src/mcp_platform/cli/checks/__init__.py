"""What `doctor` looks at: one file per part of an installation. A check looks and changes nothing."""
