"""
The steps of a release, a rollback, and the one way back.

    environment  the repository, the registry, the engines and who asks, as one object
    engine       what answers predictions, as a release sees it
    registry     what knows versions and aliases, as a release sees it
    gate         the rule that says no before anything changes
    freshness    whether the newest version is to be released, or why not
    alias        keeps the registry's alias behind the decision
    steps        the steps between the state before and the state after
    recover      the one way back: finish or undo the open release
    rollback     the steps of a release, with an older version that is on disk
    open         opens a release or a rollback under the model's lock, and undoes it on failure
    preflight    whether the engines answer and take a release, asked before a training
    enrolment    take an engine that is gone out of the decision
    message      one line about a release, for a chat
    page         a release as a page for people
"""
