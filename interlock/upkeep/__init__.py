"""
Between releases: what is so, whether it is as decided, and making it so.

    survey     what does each replica serve, and what disagrees with the decisions
    reconcile  make everything equal the decisions
    history    the record of a model's decisions, and whether it is whole
    prune      remove old versions
"""
