"""
What runs inside the child process of a trial, with a candidate that nobody trusts yet.

    child      answer the parent's question over a pipe: confine -> read -> examine -> load -> answer
    protocol   the question, and the lines that come back
    cage       the limits that the child puts on itself before it reads a byte
    content    what a file may contain: checked before onnxruntime sees it
    answering  open it with onnxruntime; single rows, golden rows, the largest request

Imports the standard library, numpy, onnx and onnxruntime, and nothing else of `delivery`: pydantic would add a third to
the time until the child is ready. Nothing but `protocol` is ever imported by the releasing process.
"""
