"""What is to be done in the workspace: SCUD's tasks, or Descartes' own."""
