"""The selection: texts in, topics, categories and reasoned scores out. Pure; stands on the ground beside the flow."""
