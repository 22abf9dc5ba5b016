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
"""

from delivery.store.reader import Store
from delivery.store.writer import Writer

__all__ = ["Store", "Writer"]
