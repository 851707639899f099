"""What a night has to say, for one edition, as values and words: every product that people read tells the same."""
