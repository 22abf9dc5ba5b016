"""
The command `interlock`: the operator's verbs, none of which needs Prefect.

    main      the command
    operate   history, rollback, reconcile, prune
    engines   list engines, and take one out that is gone
    status    what runs, what is live, and what disagrees
    loop      reconcile, once or for ever
    here      which environment a command works on, and who gives it
    output    tables for people, JSON for programs
    shell     the lines that `interlock up` prints
    announce  tell people what an operator, or the loop, did
"""
