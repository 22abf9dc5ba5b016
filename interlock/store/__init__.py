"""
The model repository on disk, and its only writer.

    <root>/models/<model>/<version>/       model.onnx manifest.json: what engines read; trial.json: what it needs
    <root>/releases/<model>/               what they must not see
        current.json                       the decision
        lock                               flock; names its holder
        stop.json                          an operator's rollback waits for that holder to stop
        journal.json                       the open release
        history/000042.json                one file per decision; 000043.void.json was claimed and never committed
        events/                            what was not a decision
        refused/<sha256>.json              digests not to be released again
        attempts/<sha256>.json             how often a digest was tried since it was last live
        registry.json                      what we last wrote to each alias
        failed/13-20251231T025902Z-<id>/   quarantined versions
        .staging/                          written here, fsynced, renamed into place

What stands where:

    contents         read a file whole, bounded, and say what is wrong with it
    paths            where each file is
    durable          writes that survive a power cut, and system calls by their own names
    odd              links, folders in the place of files, and other things that nobody put there on purpose
    lock             one writer per model, and the request to stop
    decision         the decision and its claims, read
    version_reader   versions and quarantined ones, read
    reader           Store: everything that anybody may read
    folders          what Triton mounts, rendered from the decision
    versions         put a version on disk, or away
    decision_writer  claim an epoch and commit
    writer           Writer: everything that whoever holds the lock may write
"""

from interlock.store.reader import Store
from interlock.store.writer import Writer

__all__ = ["Store", "Writer"]
