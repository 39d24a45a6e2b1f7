"""Takes people out of what is long over: visits, waitlists and series. What is live is never touched."""
