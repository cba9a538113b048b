"""What runs inside the user's program: the hook, the places where optimizers step, and the replay.

In: a task, named by an environment variable. Out: a recording in the task's folder.
Never: a change to what the program computes, unless the task asks for one (disturbed start, wider numbers, jumps).
"""
