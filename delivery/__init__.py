"""
Nouns and rules of a release. Imports the standard library, pydantic and numpy only.

    records    what is written down: Manifest, Current, Journal, HistoryEntry
    store      the only writer of the model repository
    engine     what answers predictions, as this package sees it
    registry   what knows versions and aliases, as this package sees it
    gate       the rule that says no before anything changes
    freshness  whether the newest version is released, or why not
    encoding   rows as clients and tables have them -> the tensor that a model takes
    inference  the JSON that asks Triton for rows
    smoke      real inferences compared with the golden answers
    release    the steps between the state before and the state after
    recovery   the one way back
    reconcile  make everything equal the decision
    outbound   nobody outside is told, this machine is asked directly: applied here, before any library is imported
"""

from delivery import outbound

outbound.apply()
