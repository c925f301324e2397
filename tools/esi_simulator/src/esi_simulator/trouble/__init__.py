"""What goes wrong on request: by what a test orders (`faults`, `flaky`), or by luck that a seed decides (`storm`)."""
